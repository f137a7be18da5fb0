//! The memory of a process that another process could see, too.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{Dev, MemfdFlags, fstat, major, makedev, minor};

/// A mapping that is shared rather than private to its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SharedMapping {
    pub(crate) writable: bool,
    /// The device of the file behind it.
    pub(crate) device: Dev,
}

/// `struct procmap_query` of linux/fs.h.
#[repr(C)]
#[derive(Default)]
struct Query {
    size: u64,
    wanted: u64,
    address: u64,
    start: u64,
    end: u64,
    flags: u64,
    page_size: u64,
    offset: u64,
    inode: u64,
    device: [u32; 2],
    name_and_build_id_sizes: [u32; 2],
    name_and_build_id_addresses: [u64; 2],
}

/// `PROCMAP_QUERY`, `_IOWR('f', 17, struct procmap_query)`.
const PROCMAP_QUERY: libc::Ioctl =
    (3 << 30 | (size_of::<Query>() as u32) << 16 | (b'f' as u32) << 8 | 17) as libc::Ioctl;
const WRITABLE: u64 = 0x02;
const SHARED: u64 = 0x08;
const COVERING_OR_NEXT: u64 = 0x10;

/// Every shared mapping of a process. `maps` is its `/proc/<pid>/maps`; `text`
/// reads that file whole, for kernels before 6.11.
pub(crate) fn shared_mappings(
    maps: &OwnedFd,
    text: impl FnOnce() -> io::Result<String>,
) -> io::Result<Vec<SharedMapping>> {
    let mut found = Vec::new();
    let mut address = 0;
    loop {
        let mut query = Query {
            size: size_of::<Query>() as u64,
            wanted: SHARED | COVERING_OR_NEXT,
            address,
            ..Query::default()
        };
        // SAFETY: the kernel writes within the structure, whose size it is
        // told, and to no other address, as both address fields are null.
        let answer = unsafe { libc::ioctl(maps.as_raw_fd(), PROCMAP_QUERY, &raw mut query) };
        if answer < 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::ENOENT) => Ok(found),
                Some(libc::ENOTTY) => Ok(text()?.lines().filter_map(parse).collect()),
                _ => Err(error),
            };
        }
        found.push(SharedMapping {
            writable: query.flags & WRITABLE != 0,
            device: makedev(query.device[0], query.device[1]),
        });
        address = query.end;
    }
}

/// A line of `/proc/<pid>/maps`, where it is of a shared mapping:
/// `7f10-7f11 rw-s 00000000 00:01 1024 /dev/zero (deleted)`.
fn parse(line: &str) -> Option<SharedMapping> {
    let mut fields = line.split(' ').skip(1);
    let permissions = fields.next().filter(|permissions| permissions.ends_with('s'))?;
    let (major, minor) = fields.nth(1)?.split_once(':')?;
    let number = |text| u32::from_str_radix(text, 16).ok();
    Some(SharedMapping {
        writable: permissions.contains('w'),
        device: makedev(number(major)?, number(minor)?),
    })
}

/// The devices of files that live in memory and that a process can make
/// without a name: a read-only mapping of one may be written elsewhere.
pub(crate) fn memory_devices() -> io::Result<Vec<Dev>> {
    let of = |flags| -> io::Result<Dev> {
        let file = rustix::fs::memfd_create("device", flags | MemfdFlags::CLOEXEC)?;
        let device = fstat(&file)?.st_dev;
        Ok(makedev(major(device), minor(device)))
    };
    let mut devices = vec![of(MemfdFlags::empty())?];
    // A kernel without huge pages has no such device.
    devices.extend(of(MemfdFlags::HUGETLB));
    Ok(devices)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_this_process() -> Vec<SharedMapping> {
        let maps = OwnedFd::from(std::fs::File::open("/proc/self/maps").unwrap());
        shared_mappings(&maps, || std::fs::read_to_string("/proc/self/maps")).unwrap()
    }

    #[test]
    fn memory_made_to_be_shared_is_seen_with_its_device() {
        let memory = memory_devices().unwrap();
        let ours = |mapping: &SharedMapping| memory.contains(&mapping.device);
        assert!(!of_this_process().iter().any(ours));
        for (protection, writable) in
            [(libc::PROT_READ, false), (libc::PROT_READ | libc::PROT_WRITE, true)]
        {
            let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
            // SAFETY: a new mapping wherever the kernel likes touches no other
            // memory.
            let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
            assert_ne!(page, libc::MAP_FAILED);
            let found = of_this_process();
            let text = std::fs::read_to_string("/proc/self/maps").unwrap();
            let parsed: Vec<SharedMapping> = text.lines().filter_map(parse).collect();
            assert_eq!(found, parsed, "both ways see the same");
            assert!(found.iter().any(|mapping| ours(mapping) && mapping.writable == writable));
            // SAFETY: nobody uses the page that was mapped above.
            assert_eq!(unsafe { libc::munmap(page, 4096) }, 0);
        }
    }

    #[test]
    fn private_memory_is_not_shared() {
        assert_eq!(parse("7f10-7f11 rw-p 00000000 00:00 0 "), None);
    }
}
