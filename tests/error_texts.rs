//! What errors say: the likely cause, and a next step that this kind of handle offers.

use io_shared::{
    Channel, ErrorKind, List, ListData, Message, Shared, SharedMmap, UnsafeSharedMmap,
};
use test_support::TestName;

#[test]
fn a_channel_without_a_free_slot_advises_what_channels_have() {
    let name = TestName::new("all-slots");
    let _consumers = [(); 64].map(|()| io_shared::consumer::<u64>(&name).unwrap());
    let said = io_shared::consumer::<u64>(&name).unwrap_err().to_string();
    assert!(said.contains("all 64 slots are taken (slot 0"), "{said}");
    assert!(said.contains(".observer()"), "{said}");
    assert!(said.contains(".consumers(65) (at most 253)"), "{said}");
    assert!(!said.contains(".handles"), "{said}");
}

#[test]
fn a_lock_without_a_free_slot_advises_what_locks_have() {
    let name = TestName::new("lock-slot");
    let open = || SharedMmap::named(&*name).size(8).handles(1).open();
    let _held = open().unwrap();
    let said = open().unwrap_err().to_string();
    assert!(said.contains("the only slot is taken"), "{said}");
    assert!(said.contains(".handles(2) (at most 1000)"), "{said}");
    assert!(!said.contains(".consumers") && !said.contains(".observer"), "{said}");
}

#[test]
fn what_does_not_exist_is_told_with_what_this_handle_has() {
    let nothing = std::time::Duration::ZERO;
    let said = |error: io_shared::Error| error.to_string();
    let lock = said(SharedMmap::named("/no-lock").open().unwrap_err());
    assert!(lock.contains("(.size())") && !lock.contains(".capacity"), "{lock}");
    let channel = Channel::<[u8]>::named("/no-channel").open_timeout(nothing);
    let channel = said(channel.consumer().unwrap_err());
    assert!(channel.contains("(.capacity())") && !channel.contains(".size"), "{channel}");
    let any = Channel::<[u8]>::named("/no-channel").any_schema().open_timeout(nothing);
    let any = said(any.consumer().unwrap_err());
    assert!(any.contains(".open_timeout()") && !any.contains(".capacity"), "{any}");
    for error in [
        Channel::remove("/no-channel").unwrap_err(),
        SharedMmap::remove("/no-lock").unwrap_err(),
        Shared::<u64>::remove("/no-lock").unwrap_err(),
        UnsafeSharedMmap::remove("/no-lock").unwrap_err(),
    ] {
        assert_eq!(*error.kind(), ErrorKind::NotFound);
        assert!(
            error.to_string().ends_with("does not exist: there is nothing to remove"),
            "{error}"
        );
    }
}

#[test]
fn a_file_without_room_is_told_by_its_own_file_system() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("huge");
    let free = nix::sys::statvfs::statvfs(directory.path()).unwrap();
    let needed = free.blocks_free() * free.fragment_size() + (1 << 40);
    for error in [
        Channel::<[u8]>::file(&path).capacity(needed).producer().unwrap_err(),
        UnsafeSharedMmap::file(&path).size(needed).open().unwrap_err(),
    ] {
        assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains(&format!("in {}: its file system has ", directory.path().display())));
        assert!(!said.contains("shm"), "{said}");
    }
}

#[test]
fn huge_pages_are_refused_for_what_they_are() {
    use nix::sys::memfd::{MFdFlags, memfd_create};
    let Ok(descriptor) = memfd_create(c"huge", MFdFlags::MFD_HUGETLB) else {
        return; // this kernel has none
    };
    let error = Channel::<u64>::from_fd(descriptor).producer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("hugetlbfs"), "{error}");
}

#[test]
fn one_byte_is_one_byte() {
    let name = TestName::new("one-byte");
    let mut producer = Channel::<[u8]>::named(&*name).capacity(0).producer().unwrap();
    let said = producer.put(&[7]).unwrap_err().to_string();
    assert!(said.contains("a message of 1 byte does not fit"), "{said}");
}

#[test]
fn without_room_less_is_advised_by_what_this_handle_has() {
    let directory = tempfile::tempdir().unwrap();
    let needed = 1u64 << 50;
    let path = |name: &str| directory.path().join(name);
    let said = |error: io_shared::Error| error.to_string();
    let channel = said(Channel::<[u8]>::file(path("a")).capacity(needed).producer().unwrap_err());
    assert!(
        channel.contains("ask for a smaller .capacity(), free some, or enlarge it"),
        "{channel}"
    );
    assert!(!channel.contains(".size"), "{channel}");
    for bytes in [
        said(SharedMmap::file(path("b")).size(needed).open().unwrap_err()),
        said(UnsafeSharedMmap::file(path("c")).size(needed).open().unwrap_err()),
    ] {
        assert!(bytes.contains("ask for a smaller .size(), free some, or enlarge it"), "{bytes}");
        assert!(!bytes.contains(".capacity"), "{bytes}");
    }
    let missing = UnsafeSharedMmap::named("/no-bytes").open_timeout(std::time::Duration::ZERO);
    let missing = said(missing.open().unwrap_err());
    assert!(missing.contains("(.size())") && !missing.contains(".capacity"), "{missing}");
}

#[test]
fn one_byte_is_one_byte_in_schemas_messages_and_texts() {
    use io_shared::{Message, Schema, Text};
    let padded = r#"{"struct":"P","size":4,"align":2,"fields":[{"name":"x","offset":0,"type":"|u1"},
        {"name":"y","offset":2,"type":"<u2"}]}"#;
    let made =
        r#"{"struct":"P","size":2,"align":1,"fields":[{"name":"x","offset":0,"type":"|u1"}]}"#;
    for said in [
        Schema::from_json(padded).unwrap_err().to_string(),
        Schema::from_json(made).unwrap_err().to_string(),
        u16::from_bytes(&[0]).unwrap_err().to_string(),
        u8::from_bytes(&[0, 0]).unwrap_err().to_string(),
        Text::<0>::try_from("a").unwrap_err().to_string(),
    ] {
        assert!(said.contains('1') && !said.contains("1 bytes"), "{said}");
    }
}

#[derive(Message)]
#[repr(C)]
struct Seen {
    frame: u64,
    boxes: List<[f32; 4]>,
    data: ListData,
}

#[test]
fn a_producer_of_lists_without_a_size_is_told_the_ways_that_it_has() {
    let name = TestName::new("lists-size");
    let said = io_shared::producer::<Seen>(&name).unwrap_err().to_string();
    let ways = ".capacity(\"5M\"), .growing(true) or .lists(Seen::capacity().boxes(100)), or";
    assert!(said.contains("have lists") && said.contains(ways), "{said}");
    assert!(!said.contains("slice") && !said.contains("elements"), "{said}");
    // And they are ways.
    let channel = || Channel::<Seen>::named(&*name);
    drop(channel().growing(true).producer().unwrap());
    drop(channel().lists(Seen::capacity().boxes(100)).producer().unwrap());
}

/// An array of arrays, with one level for each token after the type.
macro_rules! nested {
    ($ty:ty;) => { $ty };
    ($ty:ty; $_level:tt $($levels:tt)*) => { nested!([$ty; 1]; $($levels)*) };
}

#[test]
fn a_type_that_no_program_could_read_is_refused_by_whoever_would_create_the_channel() {
    type Deep = nested!(u8; 1 2 3 4 5 6 7 8 9 a b c d e f 16 17 18 19 20 21 22 23 24 25 26 27 28 29
        30 31);
    type Deeper = [Deep; 1];
    let name = TestName::new("deep");
    io_shared::producer::<Deep>(&name).unwrap();
    io_shared::consumer::<Deep>(&name).unwrap();
    let name = TestName::new("deeper");
    for refused in [
        io_shared::producer::<Deeper>(&name).unwrap_err(),
        io_shared::consumer::<Deeper>(&name).unwrap_err(),
        Shared::<Deeper>::open(&*name).unwrap_err(),
    ] {
        assert!(matches!(refused.kind(), ErrorKind::Unsupported { .. }), "{refused}");
        let said = refused.to_string();
        assert!(said.contains("no program can read") && said.contains("deeper than 32"), "{said}");
    }
    assert!(!name.path().exists());
}
