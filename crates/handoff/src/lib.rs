//! Room `handoff`: bytes handed to the kernel without a copy. The one crate with `unsafe` code.
//!
//! Downloads, in the order of a request:
//!
//! - [`mod@file`]: a [`FileRange`] is a part of an immutable file, read by `pread` where its bytes must
//!   pass through user space (TLS, HTTP/2, small answers);
//! - [`mapping`]: a [`Handoff`] turns a range into a `Bytes` that nobody needs to read, because
//! - [`stream`]: the [`SendfileStream`] of the same connection recognises it by its address and
//!   has the kernel send the file.
//!
//! Uploads:
//!
//! - [`buffer`]: page-aligned buffers out of one global byte budget, for direct writes.
//!
//! And:
//!
//! - [`startup`]: listening sockets that systemd opened for us, and room for enough of them.

pub mod buffer;
pub mod file;
pub mod mapping;
pub mod startup;
pub mod stream;

pub use buffer::{AlignedBuffer, BufferPool, FilledBuffer, PAGE};
pub use file::FileRange;
pub use mapping::Handoff;
pub use startup::{inherited_socket, raise_open_file_limit};
pub use stream::SendfileStream;
