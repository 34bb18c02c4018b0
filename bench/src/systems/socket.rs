//! A Unix stream socket for each direction.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use crate::Result;
use crate::names::Names;
use crate::run::{Incoming, Outgoing, Spec, check, fill};
use crate::system::System;

pub(crate) struct UnixSocket;

impl System for UnixSocket {
    type Out = Out;
    type In = Stream<UnixStream>;
    const NAME: &'static str = "Unix socket";
    const SETTINGS: &'static str = "SOCK_STREAM, write_all and read_exact of the whole payload";
    const POLLS: bool = false;

    fn outgoing(names: &Names, spec: &Spec) -> Result<Out> {
        let listener = UnixListener::bind(names.file_of(spec))?;
        Ok(Out { listener, stream: None, buffer: vec![0; spec.words()] })
    }

    fn incoming(names: &Names, spec: &Spec) -> Result<Self::In> {
        loop {
            match UnixStream::connect(names.file_of(spec)) {
                Ok(stream) => return Ok(Stream::new(stream, spec)),
                // Not bound yet, or bound and not listening yet.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::NotFound | ErrorKind::ConnectionRefused
                    ) =>
                {
                    thread::sleep(Duration::from_micros(100));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

pub(crate) struct Out {
    listener: UnixListener,
    stream: Option<UnixStream>,
    buffer: Vec<u64>,
}

impl Outgoing for Out {
    fn send(&mut self, seq: u64, touch: bool) -> Result<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(self.listener.accept()?.0),
        };
        if touch {
            fill(&mut self.buffer, seq);
        }
        Ok(stream.write_all(bytemuck::cast_slice(&self.buffer))?)
    }
}

/// A stream of bytes, read one message at a time.
pub(crate) struct Stream<S> {
    stream: S,
    buffer: Vec<u64>,
}

impl<S> Stream<S> {
    pub(crate) fn new(stream: S, spec: &Spec) -> Self {
        Self { stream, buffer: vec![0; spec.words()] }
    }
}

impl<S: Read> Incoming for Stream<S> {
    fn try_receive(&mut self, seq: u64, touch: bool) -> Result<bool> {
        self.block(seq, touch)?;
        Ok(true)
    }

    fn block(&mut self, seq: u64, touch: bool) -> Result<()> {
        self.stream.read_exact(bytemuck::cast_slice_mut(&mut self.buffer))?;
        if touch { check(&self.buffer, seq) } else { Ok(()) }
    }
}
