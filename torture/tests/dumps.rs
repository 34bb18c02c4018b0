//! Core dumps leave out the buffers of regions, whether the regions have names or not.

#![allow(clippy::unwrap_used)]

mod child;

use std::time::Duration;

use child::refuse::{Call, refuse};
use child::{footprint, in_child, succeeds};
use io_shared::{Channel, RwSharedMmap, SharedMmap, UnsafeSharedMmap};
use test_support::{TestFile, TestName};

/// How many bytes of this process's shared mappings a core dump has, counting mappings larger than
/// any header. As is the kernel's default, files that have names are left out.
fn dumped() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut dumped = Vec::new();
    let mut mapping = None;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        if let Some((start, end)) = first.split_once('-') {
            let [start, end] = [start, end].map(|at| u64::from_str_radix(at, 16).unwrap());
            let is_shared = words.next().is_some_and(|rights| rights.ends_with('s'));
            let has_name = !line.contains("(deleted)");
            mapping = (is_shared && !has_name && end - start >= 1 << 19).then_some(line);
        } else if first == "VmFlags:" && !words.any(|flag| flag == "dd") {
            dumped.extend(mapping.map(str::to_owned));
        }
    }
    dumped
}

#[test]
fn buffers_of_anonymous_and_of_removed_regions_are_left_out_of_core_dumps() {
    let [name, lock, rw, bytes] = ["d", "d-lock", "d-rw", "d-bytes"].map(TestName::new);
    let file = TestFile::new("dumps");
    // In a separate process, because the mappings of other tests come and go.
    succeeds(in_child(|| {
        let nameless = Channel::<[u8]>::anonymous().elements(1 << 20).producer().unwrap();
        let received = nix::unistd::dup(nameless.as_fd().unwrap()).unwrap();
        let receiver = Channel::<[u8]>::from_fd(received).consumer().unwrap();
        let open = || Channel::<[u8]>::named(&*name).elements(1 << 20);
        let removed =
            (open().producer().unwrap(), open().consumer().unwrap(), open().observer().unwrap());
        let in_file = Channel::<[u8]>::file(file.to_path_buf()).elements(1 << 20);
        let deleted = (in_file.clone().producer().unwrap(), in_file.consumer().unwrap());
        let locks = (
            SharedMmap::named(&*lock).size("1M").open().unwrap(),
            RwSharedMmap::named(&*rw).size("1M").open().unwrap(),
            RwSharedMmap::anonymous().size("1M").open().unwrap(),
        );
        let plain = (
            UnsafeSharedMmap::named(&*bytes).size("1M").open().unwrap(),
            UnsafeSharedMmap::anonymous().size("1M").open().unwrap(),
        );
        Channel::remove(&name).unwrap();
        SharedMmap::remove(&*lock).unwrap();
        RwSharedMmap::remove(&*rw).unwrap();
        UnsafeSharedMmap::remove(&*bytes).unwrap();
        std::fs::remove_file(&*file).unwrap();
        assert_eq!(dumped(), Vec::<String>::new());
        drop((nameless, receiver, removed, deleted, locks, plain));
    }));
}

#[test]
fn added_buffers_are_left_out_too_however_the_kernel_lets_them_be_mapped() {
    const MREMAP: Call = Call(libc::SYS_mremap, None);
    const SECONDS: Duration = Duration::from_secs(5);
    for refused in [None, Some(libc::EPERM), Some(libc::ENOSYS), Some(libc::EINVAL)] {
        succeeds(in_child(|| {
            let mut producer = Channel::<[u8]>::anonymous().elements(1 << 20).producer().unwrap();
            let fd = producer.as_fd().unwrap().try_clone_to_owned().unwrap();
            let open = || Channel::<[u8]>::from_fd(fd.try_clone().unwrap());
            let mut first = open().consumer().unwrap();
            let mut observer = open().observer().unwrap();
            let mut keeper = open().holds(4).consumer().unwrap();
            if let Some(errno) = refused {
                refuse(&[MREMAP], errno);
            }
            let mut message = vec![0; 1 << 20];
            let mut kept = Vec::new();
            for n in 1..=4 {
                message.fill(n);
                producer.put(&message).unwrap();
                kept.push(keeper.get_timeout(SECONDS).unwrap().into_owned());
                assert_eq!(*first.get_timeout(SECONDS).unwrap(), *message);
                assert_eq!(*observer.copy().unwrap().unwrap(), *message);
            }
            assert!(kept.iter().zip(1..).all(|(value, n)| value.iter().all(|byte| *byte == n)));
            assert!(footprint().1 >= 8, "three of them have mapped what was added");
            assert_eq!(dumped(), Vec::<String>::new(), "{refused:?}");
        }));
    }
}
