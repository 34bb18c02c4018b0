//! Gives the shared library its soname, so that programs that were built against another ABI do not
//! start with it.

/// `IOS_ABI_VERSION`; `tests/install.rs` compares.
const ABI_VERSION: u32 = 2;

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libio_shared_ffi.so.{ABI_VERSION}");
    println!("cargo::rerun-if-changed=build.rs");
}
