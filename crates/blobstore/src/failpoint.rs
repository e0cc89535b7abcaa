//! Crash points: places where a test can make the process die, fail or wait.
//!
//! ```
//! # fn write() -> std::io::Result<()> {
//! naru_blobstore::failpoint!("blob.synced")?;
//! # Ok(())
//! # }
//! # write().unwrap();
//! ```
//!
//! Without the feature `failpoints`, passing one is nothing at all. With it, a test arms a point by
//! name, in the process with `arm` or in a child by text with `arm_from`. A detail, such as a
//! storage key, lets tests that run side by side arm the same point for their own work only.

/// The crash points of an upload into a directory, in the order they are passed: the file is made;
/// bytes are about to be written, are written; the last byte has come; the digest is right; the
/// data is about to be flushed, is flushed; its name; the directories above; a checkpoint is about
/// to be told.
pub const BLOBS_IN_A_DIRECTORY: &[&str] = &[
    "blob.created",
    "blob.append",
    "blob.appended",
    "finish.last_byte",
    "finish.digest_ok",
    "blob.flush",
    "blob.synced",
    "blob.dir_synced",
    "blob.ancestors_synced",
    "upload.checkpoint",
];

/// The crash points of an upload into a bucket.
pub const BLOBS_IN_A_BUCKET: &[&str] = &[
    "upload.checkpoint",
    "s3.create",
    "s3.part",
    "finish.last_byte",
    "finish.digest_ok",
    "s3.complete",
    "s3.completed",
];

/// The crash points of removing: before and after an upload is given up, before and after a blob
/// is removed.
pub const BLOBS_REMOVED: &[&str] = &["upload.abort", "blob.delete", "blob.deleted"];

/// Passes the crash point of this name: `io::Result<()>`, an error where a test asked for one.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        $crate::failpoint::pass($name, &"")
    };
    ($name:literal, $detail:expr) => {
        $crate::failpoint::pass($name, &$detail)
    };
}

#[cfg(not(any(test, feature = "failpoints")))]
mod points {
    /// Passes a crash point: nothing, without the feature `failpoints`.
    ///
    /// # Errors
    /// None.
    #[inline(always)]
    pub fn pass(_name: &str, _detail: &dyn std::fmt::Display) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(any(test, feature = "failpoints"))]
mod points {
    use std::fmt::Display;
    use std::io;
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::time::Duration;

    /// What happens at an armed point.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Action {
        /// The process ends at once, as with `kill -9`: nothing is flushed, nothing runs.
        Abort,
        /// The operation fails with this error number, such as 5 for EIO or 28 for ENOSPC.
        Error(i32),
        /// The thread waits, then goes on.
        Delay(Duration),
    }

    #[derive(Debug)]
    struct Armed {
        name: String,
        detail: String,
        skip: u64,
        action: Action,
    }

    static ARMED: Mutex<Vec<Armed>> = Mutex::new(Vec::new());

    /// Disarms its point when dropped.
    #[derive(Debug)]
    #[must_use = "the point is disarmed when this is dropped"]
    pub struct Guard(String, String);

    impl Drop for Guard {
        fn drop(&mut self) {
            armed().retain(|point| (&point.name, &point.detail) != (&self.0, &self.1));
        }
    }

    /// Arms the point `name` wherever its detail contains `detail` (an empty one fits always),
    /// from the pass after the next `skip` on.
    pub fn arm(name: &str, detail: &str, skip: u64, action: Action) -> Guard {
        let (name, detail) = (name.to_owned(), detail.to_owned());
        let guard = Guard(name.clone(), detail.clone());
        armed().push(Armed {
            name,
            detail,
            skip,
            action,
        });
        guard
    }

    /// Arms points for the life of the process, from text such as
    /// `blob.synced=abort;blob.created=3*error(28);blob.appended=delay(50)`: the third pass of
    /// `blob.created` and those after it fail.
    ///
    /// # Errors
    /// The part of the text that cannot be read.
    pub fn arm_from(text: &str) -> Result<(), String> {
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (name, skip, action) = read(part).ok_or_else(|| part.to_owned())?;
            armed().push(Armed {
                name: name.to_owned(),
                detail: String::new(),
                skip,
                action,
            });
        }
        Ok(())
    }

    fn read(part: &str) -> Option<(&str, u64, Action)> {
        let (name, what) = part.split_once('=')?;
        let (pass, what) = what.split_once('*').unwrap_or(("1", what));
        let skip = pass.parse::<u64>().ok()?.checked_sub(1)?;
        let (word, number) = what.split_once('(').unwrap_or((what, ")"));
        let number = number.strip_suffix(')')?;
        let action = match word {
            "abort" => Action::Abort,
            "error" => Action::Error(number.parse().ok()?),
            "delay" => Action::Delay(Duration::from_millis(number.parse().ok()?)),
            _ => return None,
        };
        Some((name, skip, action))
    }

    /// Passes a crash point.
    ///
    /// # Errors
    /// The one a test asked for.
    pub fn pass(name: &str, detail: &dyn Display) -> io::Result<()> {
        match due(name, detail) {
            None => Ok(()),
            Some(Action::Abort) => std::process::abort(),
            Some(Action::Error(number)) => Err(io::Error::from_raw_os_error(number)),
            Some(Action::Delay(time)) => {
                std::thread::sleep(time);
                Ok(())
            }
        }
    }

    fn due(name: &str, detail: &dyn Display) -> Option<Action> {
        let mut armed = armed();
        let detail = || detail.to_string();
        let point = armed
            .iter_mut()
            .find(|point| point.name == name && detail().contains(&point.detail))?;
        if point.skip > 0 {
            point.skip -= 1;
            return None;
        }
        Some(point.action)
    }

    fn armed() -> MutexGuard<'static, Vec<Armed>> {
        ARMED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn text_arms_the_pass_it_names() {
            let parsed = read("blob.synced=3*error(28)");
            assert_eq!(parsed, Some(("blob.synced", 2, Action::Error(28))));
            assert_eq!(read("a=abort"), Some(("a", 0, Action::Abort)));
            let delay = Action::Delay(Duration::from_millis(50));
            assert_eq!(read("a=delay(50)"), Some(("a", 0, delay)));
            for wrong in ["a", "a=0*abort", "a=error(x)", "a=error(5", "a=explode"] {
                assert_eq!(read(wrong), None, "{wrong}");
            }
        }

        #[test]
        fn a_point_fails_only_for_its_detail_and_only_while_armed() {
            let guard = arm("test.point", "mine", 1, Action::Error(5));
            assert!(failpoint!("test.point", "yours").is_ok());
            assert!(
                failpoint!("test.point", "mine").is_ok(),
                "the first pass is skipped"
            );
            assert_eq!(
                failpoint!("test.point", "mine").unwrap_err().raw_os_error(),
                Some(5)
            );
            drop(guard);
            assert!(failpoint!("test.point", "mine").is_ok());
        }
    }
}

pub use points::*;
