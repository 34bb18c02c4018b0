//! Structs that a Rust and a C program share, in a file and in shared memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::process::Command;

use io_shared::{Message, UnsafeSharedMmap};
use test_support::{TestFile, TestName};

#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
struct Foo {
    bar: i32,
    baz: i32,
}

/// Compiles a C program and returns its path. `cc` is there, because Rust links with it.
fn compile(what: &str, source: &str) -> TestFile {
    let (code, program) = (TestFile::new(&format!("{what}.c")), TestFile::new(what));
    std::fs::write(&*code, source).unwrap();
    let compiled = Command::new("cc")
        .args(["-x", "c", "-O1", "-o"])
        .args([&*program, &*code])
        .status()
        .expect("cc is installed: Rust links with it");
    assert!(compiled.success());
    program
}

#[track_caller]
fn run(program: &TestFile, arguments: &[&str]) -> String {
    let output = Command::new(&**program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn a_struct_that_a_c_program_wrote_to_a_file_is_opened_as_it_is() {
    let writes = compile(
        "writes",
        r#"
        #include <stdio.h>
        struct foo { int bar; int baz; };
        int main(int argc, char **argv) {
            struct foo foo = { 42, 98 };
            FILE *file = fopen(argv[1], "wb");
            return fwrite(&foo, sizeof foo, 1, file) != 1 || fclose(file);
        }
        "#,
    );
    let changes = compile(
        "changes",
        r#"
        #include <fcntl.h>
        #include <stdio.h>
        #include <sys/mman.h>
        struct foo { int bar; int baz; };
        int main(int argc, char **argv) {
            int fd = open(argv[1], O_RDWR);
            struct foo *foo = mmap(0, sizeof *foo, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            printf("%d %d\n", foo->bar, foo->baz);
            foo->baz = -1;
        }
        "#,
    );
    let path = TestFile::new("foo");
    run(&writes, &[path.to_str().unwrap()]);
    assert_eq!(std::fs::metadata(&*path).unwrap().len(), size_of::<Foo>() as u64);
    let mut shared = UnsafeSharedMmap::file(&*path).open().unwrap();
    assert_eq!(shared.load::<Foo>().unwrap(), Foo { bar: 42, baz: 98 });
    shared.store(&Foo { bar: 31337, baz: 98 }).unwrap();
    assert_eq!(run(&changes, &[path.to_str().unwrap()]), "31337 98");
    assert_eq!(shared.load::<Foo>().unwrap(), Foo { bar: 31337, baz: -1 });
    assert_eq!(shared.as_ptr::<Foo>().unwrap().addr() % align_of::<Foo>(), 0);
}

#[test]
fn a_struct_in_shared_memory_is_shared_with_a_c_program_of_either_start() {
    let program = compile(
        "shm",
        r#"
        #include <fcntl.h>
        #include <stdio.h>
        #include <sys/mman.h>
        #include <unistd.h>
        struct foo { int bar; int baz; };
        int main(int argc, char **argv) {
            int fd = shm_open(argv[1], O_RDWR | O_CREAT, 0666);
            if (fd < 0 || ftruncate(fd, sizeof(struct foo))) return 1;
            struct foo *foo = mmap(0, sizeof *foo, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            printf("%d %d\n", foo->bar, foo->baz);
            foo->bar += 1;
        }
        "#,
    );
    let name = TestName::new("c-first");
    assert_eq!(run(&program, &[&name]), "0 0");
    let mut shared = UnsafeSharedMmap::named(&*name).open().unwrap();
    assert_eq!(shared.load::<Foo>().unwrap(), Foo { bar: 1, baz: 0 });
    shared.store(&Foo { bar: 31337, baz: 98 }).unwrap();
    assert_eq!(run(&program, &[&name]), "31337 98");
    assert_eq!(shared.load::<Foo>().unwrap().bar, 31338);

    let name = TestName::new("rust-first");
    let mut shared = UnsafeSharedMmap::named(&*name).size(size_of::<Foo>() as u64).open().unwrap();
    shared.store(&Foo { bar: 7, baz: 8 }).unwrap();
    assert_eq!(run(&program, &[&name]), "7 8");
    assert_eq!(shared.load::<Foo>().unwrap(), Foo { bar: 8, baz: 8 });
}
