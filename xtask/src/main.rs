//! Chores of the project, as a program: `cargo xtask --help`.
fn main() {}
