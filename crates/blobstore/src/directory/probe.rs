//! Tries the directory before the server takes anything.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use naru_handoff::{AlignedBuffer, PAGE};
use rustix::fs::OFlags;

use super::durable::create_directories;
use super::{Shared, remove};
use crate::error::{During, Error, Result};
use crate::layout;
use crate::probe::Probe;

const ACTION: &str = "try the directory of blobs";

/// Filesystems by the magic number that `statfs` gives (statfs(2)).
const FILESYSTEMS: &[(u64, &str, Trust)] = &[
    (0xef53, "ext4", Trust::Good),
    (0x5846_5342, "xfs", Trust::Good),
    (0x9123_683e, "btrfs", Trust::Good),
    (0x2fc1_2fc1, "zfs", Trust::Good),
    (0xf2f5_2010, "f2fs", Trust::Good),
    (0xca45_1a4e, "bcachefs", Trust::Good),
    (0x794c_7630, "overlay", Trust::Good),
    (0x0102_1994, "tmpfs", Trust::Forgets),
    (0x8584_58f6, "ramfs", Trust::Forgets),
    (0x6969, "nfs", Trust::Remote),
    (0x517b, "smb", Trust::Remote),
    (0xff53_4d42, "cifs", Trust::Remote),
    (0xfe53_4d42, "smb2", Trust::Remote),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Good,
    /// Lives in memory.
    Forgets,
    /// Flushes may not reach a disk, and locks may not reach other machines.
    Remote,
}

pub(super) fn probe(shared: &Shared) -> Result<Probe> {
    let blobs = layout::blobs(&shared.root);
    create_directories(&blobs).map_err(|error| {
        Error::Unfit(format!(
            "cannot make the directory {}: {error}",
            blobs.display()
        ))
    })?;
    let directory = File::open(&blobs).during(ACTION)?;
    let filesystem = check_filesystem(shared, &directory)?;
    let space = rustix::fs::fstatvfs(&directory).during(ACTION)?;
    let direct_io = try_to_write(&shared.root)? && shared.direct_from.is_some();
    Ok(Probe::Directory {
        filesystem,
        free: space.f_bavail.saturating_mul(space.f_frsize),
        direct_io,
    })
}

fn check_filesystem(shared: &Shared, directory: &File) -> Result<String> {
    let kind = rustix::fs::fstatfs(directory).during(ACTION)?.f_type;
    // The kernel's type differs among architectures; the number is 32 bits wide.
    let kind = u64::try_from(kind).unwrap_or(0) & 0xffff_ffff;
    let known = FILESYSTEMS.iter().find(|(number, ..)| *number == kind);
    let (name, trust) = match known {
        Some((_, name, trust)) => ((*name).to_owned(), *trust),
        None => (format!("filesystem {kind:#x}"), Trust::Good),
    };
    let why = match trust {
        Trust::Good => return Ok(name),
        _ if shared.allow_unsafe_filesystem => return Ok(name),
        Trust::Forgets => "which forgets everything when the machine stops",
        Trust::Remote => "whose flushes and locks cannot be relied on",
    };
    Err(Error::Unfit(format!(
        "{} is on {name}, {why}; choose another `path`, or set \
         `blobstore.allow_unsafe_filesystem = true` if what is pushed may be lost",
        shared.root.display()
    )))
}

/// Writes and flushes a page. Says whether that works past the page cache, too.
fn try_to_write(root: &Path) -> Result<bool> {
    let path = root.join(format!("{}-{}", layout::PROBE, std::process::id()));
    let tried = write_page(&path);
    remove(&path)?;
    tried.map_err(|error| match Error::io(ACTION, error) {
        Error::NoSpace => Error::NoSpace,
        other => Error::Unfit(format!("cannot write in {}: {other}", root.display())),
    })
}

fn write_page(path: &Path) -> std::io::Result<bool> {
    let mut page = AlignedBuffer::new(PAGE);
    page.push(&[0; PAGE]);
    let file = File::create(path)?;
    file.write_all_at(page.filled(), 0)?;
    file.sync_data()?;
    let direct = rustix::fs::fcntl_setfl(&file, OFlags::DIRECT).is_ok()
        && file.write_all_at(page.filled(), 0).is_ok();
    fs::metadata(path)?;
    Ok(direct)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Directory;
    use crate::settings::BlobStoreSettings;

    #[tokio::test]
    async fn a_directory_that_is_made_and_written_is_fit() {
        let data = tempfile::tempdir().unwrap();
        let directory = Directory::new(&BlobStoreSettings::default(), &data.path().join("new"));
        let Probe::Directory { free, .. } = directory.probe().await.unwrap() else {
            panic!("a directory finds a directory");
        };
        assert!(free > 0);
        let left: Vec<_> = fs::read_dir(data.path().join("new")).unwrap().collect();
        assert_eq!(left.len(), 1, "only blobs/ stays");
    }

    #[tokio::test]
    async fn a_filesystem_in_memory_is_refused_unless_allowed() {
        let Ok(data) = tempfile::tempdir_in("/dev/shm") else {
            naru_testkit::services::absent::say("there is no tmpfs at /dev/shm");
            return;
        };
        let mut settings = BlobStoreSettings::default();
        let refused = Directory::new(&settings, data.path()).probe().await;
        assert!(
            matches!(&refused, Err(Error::Unfit(why)) if why.contains("tmpfs")),
            "{refused:?}"
        );
        settings.allow_unsafe_filesystem = true;
        assert!(Directory::new(&settings, data.path()).probe().await.is_ok());
    }

    #[tokio::test]
    async fn a_file_in_the_place_of_the_directory_is_said() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("file");
        fs::write(&file, "").unwrap();
        let refused = Directory::new(&BlobStoreSettings::default(), &file)
            .probe()
            .await;
        assert!(matches!(refused, Err(Error::Unfit(_))));
    }
}
