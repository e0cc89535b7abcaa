//! Programs that end when the test does, however it ends.
//!
//! A program started here holds on to a leash: a small shell watches a pipe whose other end is in
//! the test process. When that end closes without a word, because the test was killed, the shell
//! ends the program and removes its files. No program outlives its test, and none is found by name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Watches from a process that belongs to nobody, then becomes the program itself, so that the
/// program's process id is the one that the test knows.
const LEASH: &str = r#"
signal=$1 scratch=$2
shift 2
exec 3<&0
(
  (
    read -r word <&3 && exit 0
    kill -s "$signal" $$ 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      kill -0 $$ 2>/dev/null || break
      sleep 0.5
    done
    kill -s KILL $$ 2>/dev/null
    # What a killed engine has left mounted in there is not its own.
    [ -z "$scratch" ] || rm -rf --one-file-system -- "$scratch"
  ) </dev/null >/dev/null 2>&1 &
)
exec "$@" 3<&- </dev/null
"#;

/// How a program is started and ended.
#[derive(Clone, Debug)]
pub struct Keep<'a> {
    /// The file that its output is appended to.
    pub log: &'a Path,
    /// The signal that asks it to end: `TERM`, `INT`, `QUIT`.
    pub signal: &'static str,
    /// A directory to remove if the test is killed.
    pub scratch: Option<&'a Path>,
}

/// A running program.
#[derive(Debug)]
pub struct Process {
    child: Child,
    leash: Option<ChildStdin>,
    signal: &'static str,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` (its program, arguments, variables and directory; not its redirections).
    ///
    /// # Errors
    /// When the log cannot be opened or the program cannot be started.
    pub fn start(command: &Command, keep: &Keep<'_>) -> io::Result<Self> {
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .open(keep.log)?;
        let mut leashed = Command::new("/bin/sh");
        leashed.arg("-c").arg(LEASH).arg("leash").arg(keep.signal);
        leashed.arg(keep.scratch.unwrap_or(Path::new("")));
        leashed.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => leashed.env(name, value),
                None => leashed.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            leashed.current_dir(directory);
        }
        leashed
            .stdin(Stdio::piped())
            .stderr(log.try_clone()?)
            .stdout(log);
        let mut child = leashed.process_group(0).spawn()?;
        let leash = child.stdin.take();
        Ok(Self {
            child,
            leash,
            signal: keep.signal,
            log: keep.log.to_owned(),
            ended: None,
        })
    }

    /// The process id, also of a program that has ended.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the program still runs.
    pub fn is_running(&mut self) -> bool {
        self.ended.is_none() && self.status().is_none()
    }

    /// What the program wrote so far.
    #[must_use]
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Sends a signal by name (`HUP`, `STOP`, `CONT`). Nothing happens when the program has ended.
    pub fn signal(&mut self, name: &str) {
        if self.is_running() {
            let id = self.id().to_string();
            // The program may end in between; then there is nobody to tell.
            let _ = Command::new("kill")
                .args(["-s", name, &id])
                .stderr(Stdio::null())
                .status();
        }
    }

    /// Ends the program at once, as a power cut would, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.let_go();
    }

    /// Asks the program to end and waits at most `patience` before killing it.
    /// Answers the status of a program that ended by itself.
    pub fn stop(&mut self, patience: Duration) -> Option<ExitStatus> {
        self.signal(self.signal);
        let status = self.wait(patience);
        if status.is_none() {
            self.kill();
        } else {
            self.let_go();
        }
        status
    }

    /// Waits at most `patience` for the program to end by itself.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let started = Instant::now();
        loop {
            let status = self.status();
            if status.is_some() || started.elapsed() > patience {
                return status;
            }
            sleep(Duration::from_millis(10));
        }
    }

    fn status(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Waits for the ended program and tells the leash that there is nothing left to do; its
    /// process id may soon be somebody else's.
    fn let_go(&mut self) {
        self.ended = self.child.wait().ok();
        if let Some(mut leash) = self.leash.take() {
            let _ = leash.write_all(b"ended\n");
        }
    }

    /// Waits until `ready` answers something, while the program runs.
    ///
    /// # Errors
    /// With the program's last words when it ended, or was not ready within `patience`.
    pub fn until<T>(
        &mut self,
        patience: Duration,
        mut ready: impl FnMut(&Self) -> Option<T>,
    ) -> io::Result<T> {
        let started = Instant::now();
        loop {
            if let Some(answer) = ready(self) {
                return Ok(answer);
            }
            if !self.is_running() {
                return Err(self.complaint("ended before it was ready"));
            }
            if started.elapsed() > patience {
                return Err(self.complaint("was not ready in time"));
            }
            sleep(Duration::from_millis(20));
        }
    }

    fn complaint(&self, what: &str) -> io::Error {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        let last = lines
            .get(lines.len().saturating_sub(40)..)
            .unwrap_or_default()
            .join("\n");
        io::Error::other(format!("process {} {what}; it said:\n{last}", self.id()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.leash.is_some() {
            self.stop(Duration::from_secs(5));
        }
    }
}

/// A port on the loopback interface that was free a moment ago.
///
/// # Errors
/// When no socket can be bound.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A directory of its own for one server, and the path of the log in it.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn scratch(prefix: &str) -> io::Result<(tempfile::TempDir, PathBuf)> {
    let directory = tempfile::Builder::new().prefix(prefix).tempdir()?;
    let log = directory.path().join("log");
    File::create(&log)?;
    Ok((directory, log))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Command {
        let mut command = Command::new("sleep");
        command.arg("60");
        command
    }

    fn exists(id: u32) -> bool {
        Path::new(&format!("/proc/{id}")).exists()
    }

    #[test]
    fn a_program_ends_with_the_value_that_holds_it() {
        let (_scratch, log) = scratch("naru-process-").unwrap();
        let keep = Keep {
            log: &log,
            signal: "TERM",
            scratch: None,
        };
        let process = Process::start(&sleeper(), &keep).unwrap();
        let id = process.id();
        assert!(exists(id));
        drop(process);
        assert!(!exists(id));
    }

    #[test]
    fn a_program_ends_when_its_leash_is_cut() {
        let (scratch, log) = scratch("naru-process-").unwrap();
        let doomed = scratch.path().join("doomed");
        fs::create_dir(&doomed).unwrap();
        let keep = Keep {
            log: &log,
            signal: "TERM",
            scratch: Some(&doomed),
        };
        let mut process = Process::start(&sleeper(), &keep).unwrap();
        // What the kernel does when a test process is killed.
        drop(process.leash.take());
        assert!(process.wait(Duration::from_secs(10)).is_some());
        let started = Instant::now();
        while doomed.exists() && started.elapsed() < Duration::from_secs(10) {
            sleep(Duration::from_millis(20));
        }
        assert!(!doomed.exists());
    }

    #[test]
    fn the_last_words_of_a_program_are_told() {
        let (_scratch, log) = scratch("naru-process-").unwrap();
        let keep = Keep {
            log: &log,
            signal: "TERM",
            scratch: None,
        };
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such luck; exit 3"]);
        let mut process = Process::start(&command, &keep).unwrap();
        let error = process
            .until(Duration::from_secs(10), |_| None::<()>)
            .unwrap_err();
        assert!(error.to_string().contains("no such luck"), "{error}");
    }
}
