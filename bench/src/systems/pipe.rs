//! A pipe for each direction, with a name so that both processes find it.

use std::fs::{File, OpenOptions};
use std::io::Write;

use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::socket::Stream;
use crate::Result;
use crate::names::Names;
use crate::run::{Outgoing, Spec, fill};
use crate::system::System;

pub(crate) struct Pipe;

impl System for Pipe {
    type Out = Out;
    type In = Stream<File>;
    const NAME: &'static str = "pipe";
    const SETTINGS: &'static str =
        "64 KiB of buffer, write_all and read_exact of the whole payload";
    const POLLS: bool = false;

    fn outgoing(names: &Names, spec: &Spec) -> Result<Out> {
        Ok(Out { pipe: open(names, spec)?, buffer: vec![0; spec.words()] })
    }

    fn incoming(names: &Names, spec: &Spec) -> Result<Self::In> {
        Ok(Stream::new(open(names, spec)?, spec))
    }
}

/// The process that comes first creates it. Opening it to read and write does not wait.
fn open(names: &Names, spec: &Spec) -> Result<File> {
    let path = names.file_of(spec);
    match mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(OpenOptions::new().read(true).write(true).open(path)?)
}

pub(crate) struct Out {
    pipe: File,
    buffer: Vec<u64>,
}

impl Outgoing for Out {
    fn send(&mut self, seq: u64, touch: bool) -> Result<()> {
        if touch {
            fill(&mut self.buffer, seq);
        }
        Ok(self.pipe.write_all(bytemuck::cast_slice(&self.buffer))?)
    }
}
