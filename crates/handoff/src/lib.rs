//! Room `handoff`: bytes handed to the kernel without a copy. The one crate with `unsafe` code.
//!
//! - [`buffer`]: page-aligned buffers out of one global byte budget, for direct writes of uploads.

pub mod buffer;

pub use buffer::{AlignedBuffer, BufferPool, FilledBuffer, PAGE};
