//! What the kernel knows about a server: its CPU time and its memory (proc(5)).

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

/// How often memory is looked at while a server works. A look costs the server nothing but a lock.
const LOOK: Duration = Duration::from_millis(20);

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Memory {
    /// Resident, file pages included.
    pub(crate) resident: u64,
    /// Of it, what no file backs: the memory that the process really needs.
    pub(crate) anonymous: u64,
}

/// User and system time of a process, of all its threads, also those that have ended. The kernel
/// sums the run time exactly and shows it in ticks of usually 10 ms.
///
/// # Errors
/// The process has ended.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the server has ended")?;
    let ticks = ticks(&stat).context("/proc/PID/stat has another form")?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_millis(ticks * 1000 / per_second))
}

/// The same of a server that has a process for each connection: of its first process, of those it
/// has seen end, and of those that run.
///
/// # Errors
/// The first process has ended.
pub(crate) fn family_cpu_time(pid: u32) -> Result<Duration> {
    let first = fs::read_to_string(format!("/proc/{pid}/stat")).context("the server has ended")?;
    let ended: u64 = (15..=16).filter_map(|number| field(&first, number)).sum();
    let mut sum = ticks(&first).unwrap_or(0) + ended;
    for entry in fs::read_dir("/proc")?.flatten() {
        // A process may end between the two looks.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if field(&stat, 3) == Some(u64::from(pid)) {
            sum += ticks(&stat).unwrap_or(0);
        }
    }
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_millis(sum * 1000 / per_second))
}

/// The process that has started this one.
pub(crate) fn parent(pid: u32) -> Result<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("no such process here")?;
    let parent = field(&stat, 3).context("/proc/PID/stat has another form")?;
    Ok(u32::try_from(parent)?)
}

/// A number in `/proc/PID/stat`, counted from 0 as proc(5) counts from 1. The name of the program
/// may hold anything, so fields are counted from its closing bracket.
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(number.checked_sub(2)?)?.parse().ok()
}

/// The sum of the fields 14 and 15. The name of the program, field 2, may hold anything, so they
/// are counted from its closing bracket.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The memory of a process now.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let status = status(pid)?;
    let resident = kibibytes(&status, "VmRSS:")?;
    Ok(Memory {
        resident,
        anonymous: kibibytes(&status, "RssAnon:")?,
    })
}

/// Runs `work` and returns with its result the most memory that the process had meanwhile. The
/// kernel keeps the peak of the resident memory; that of the anonymous one is sampled.
pub(crate) fn peak_memory<T>(pid: u32, work: impl FnOnce() -> Result<T>) -> Result<(T, Memory)> {
    // "5" resets the peak (proc(5), clear_refs).
    fs::write(format!("/proc/{pid}/clear_refs"), "5").context("resetting the memory peak")?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = most.max(memory(pid).map_or(0, |memory| memory.anonymous));
                std::thread::sleep(LOOK);
            }
            most
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        let anonymous = watch.join().unwrap_or_default();
        let resident = kibibytes(&status(pid)?, "VmHWM:")?;
        Ok((
            result?,
            Memory {
                resident,
                anonymous,
            },
        ))
    })
}

fn status(pid: u32) -> Result<String> {
    fs::read_to_string(format!("/proc/{pid}/status")).context("the server has ended")
}

/// A field of `/proc/PID/status`, in bytes.
fn kibibytes(status: &str, field: &str) -> Result<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(field));
    let value = value.with_context(|| format!("/proc/PID/status has no {field}"))?;
    let number = value.trim().trim_end_matches(" kB");
    Ok(number
        .parse::<u64>()
        .with_context(|| format!("{field} {value}"))?
        * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_any_program_name() {
        let stat = "42 (a ) R b) S 1 42 42 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 9 0 1 2 3";
        assert_eq!(ticks(stat), Some(175));
        assert_eq!(ticks("42 (naru)"), None);
    }

    #[test]
    fn the_fields_of_a_process_are_counted_behind_its_name() {
        let stat = "42 (a ) R b) S 7 42 42 0 -1 4194560 1 2 3 4 150 25 11 12 20 0 9 0 1 2 3";
        assert_eq!(field(stat, 3), Some(7), "who started it");
        assert_eq!((field(stat, 15), field(stat, 16)), (Some(11), Some(12)));
        let pid = std::process::id();
        assert!(family_cpu_time(parent(pid).unwrap()).is_ok());
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tnaru\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\nRssAnon:\t 512 kB\n";
        assert_eq!(kibibytes(status, "VmHWM:").unwrap(), 20 << 20);
        assert_eq!(kibibytes(status, "RssAnon:").unwrap(), 512 << 10);
        assert!(kibibytes(status, "VmSwap:").is_err());
    }

    #[test]
    fn this_process_has_memory_and_a_peak_above_it() {
        let pid = std::process::id();
        let ((), peak) = peak_memory(pid, || Ok(())).unwrap();
        assert!(peak.resident > 0);
        assert!(memory(pid).unwrap().anonymous > 0);
        cpu_time(pid).unwrap();
    }
}
