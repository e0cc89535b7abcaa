//! Starts the database and the object store that one run of the tests shares, prints the variables
//! by which the tests find them, then `ready`, and ends both when its standard input closes.
//! `cargo xtask services up` and `cargo xtask ci` run it.

use std::io::{Read, Write};
use std::process::ExitCode;

use naru_testkit::services::{postgres, s3};

fn main() -> ExitCode {
    let mut lines = String::new();
    if let Some(cluster) = postgres::cluster() {
        lines.push_str(&format!(
            "NARU_TEST_POSTGRES_URL={}\n",
            cluster.url("postgres")
        ));
    }
    if let Some(server) = s3::server() {
        lines.push_str(&format!("NARU_TEST_S3_URL={}\n", server.url()));
    }
    lines.push_str("ready\n");
    let mut output = std::io::stdout().lock();
    if output
        .write_all(lines.as_bytes())
        .and_then(|()| output.flush())
        .is_err()
    {
        return ExitCode::FAILURE;
    }
    // The servers end with this process, so there is nothing to do but to wait.
    let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
    ExitCode::SUCCESS
}
