//! The `naru` binary; everything it does is in the library beside it.

use std::process::ExitCode;

/// Long-running servers with many small allocations stay smaller and faster with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    naru::main()
}
