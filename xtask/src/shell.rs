//! Running other programs: output into a log, a limit on time, a sign of life in between.

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::say::say;
use crate::workspace;

/// How much of a log is shown when its program failed.
const SHOWN_LINES: usize = 250;
/// How often a silent program is reported to be still at work.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// A log file that several commands of one step write one after another.
pub(crate) struct Log {
    path: PathBuf,
}

impl Log {
    /// Begins `target/ci/NAME.log` anew.
    pub(crate) fn begin(name: &str) -> Result<Self> {
        let directory = workspace::target_directory().join("ci");
        fs::create_dir_all(&directory)
            .with_context(|| format!("create {}", directory.display()))?;
        let path = directory.join(format!("{name}.log"));
        File::create(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(Self { path })
    }

    /// Where the log lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Everything written so far.
    pub(crate) fn text(&self) -> String {
        let bytes = fs::read(&self.path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines, as they are shown after a failure.
    pub(crate) fn tail(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        let start = lines.len().saturating_sub(SHOWN_LINES);
        lines.get(start..).unwrap_or_default().join("\n")
    }

    /// Runs `command` with its output appended here. Fails, naming the log, when it fails or
    /// takes longer than `limit`; whatever it started in its process group then ends with it.
    pub(crate) fn run(&self, command: &mut Command, limit: Duration) -> Result<()> {
        let words = describe(command);
        let status = self.wait(command, &words, limit)?;
        if !status.success() {
            bail!("`{words}` ended with {status}");
        }
        Ok(())
    }

    fn wait(&self, command: &mut Command, words: &str, limit: Duration) -> Result<ExitStatus> {
        let output = OpenOptions::new().append(true).open(&self.path)?;
        let mut child = command
            .stdin(Stdio::null())
            .stderr(output.try_clone()?)
            .stdout(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("start `{words}`"))?;
        let started = Instant::now();
        let mut said = started;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if started.elapsed() > limit {
                end_group(&mut child);
                bail!("`{words}` was ended after {} s", limit.as_secs());
            }
            if said.elapsed() > HEARTBEAT {
                said = Instant::now();
                say!(
                    "    … `{words}` at work for {} s",
                    started.elapsed().as_secs()
                );
            }
            sleep(Duration::from_millis(50));
        }
    }
}

/// Ends a program and everything in its process group.
fn end_group(child: &mut Child) {
    let group = format!("-{}", child.id());
    // `kill` may find nobody left, and `wait` then has nothing to add.
    let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
    let _ = child.kill();
    let _ = child.wait();
}

/// Runs a short program and returns its standard output, trimmed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let words = describe(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start `{words}`"))?;
    if !output.status.success() {
        bail!(
            "`{words}`: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The command as one would type it.
fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy();
    let mut words = vec![name.into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

/// `cargo`, the same that runs us, in the root of the checkout.
pub(crate) fn cargo() -> Command {
    let program = workspace::environment("CARGO").unwrap_or_else(|| "cargo".to_owned());
    let mut command = Command::new(program);
    command
        .current_dir(workspace::root())
        .env("CARGO_TERM_COLOR", "never");
    command
}
