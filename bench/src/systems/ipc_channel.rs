//! ipc-channel: its bytes channel, which serialises nothing.

use std::fs;
use std::thread;
use std::time::Duration;

use ::ipc_channel::TryRecvError;
use ::ipc_channel::ipc::{
    IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcSender, bytes_channel,
};

use crate::Result;
use crate::names::Names;
use crate::run::{Incoming, Outgoing, Spec, check, fill};
use crate::system::System;

pub(crate) struct IpcChannel;

impl System for IpcChannel {
    type Out = Out;
    type In = In;
    const NAME: &'static str = "ipc-channel";
    const SETTINGS: &'static str = "0.23; bytes_channel";
    const POLLS: bool = false;

    fn outgoing(names: &Names, spec: &Spec) -> Result<Out> {
        let (server, name) = IpcOneShotServer::new()?;
        // Written completely before it gets its name, so that whoever finds it can read it.
        let (path, draft) = (names.file_of(spec), names.file_of(spec).with_extension("draft"));
        fs::write(&draft, name)?;
        fs::rename(draft, path)?;
        Ok(Out { server: Some(server), sender: None, buffer: vec![0; spec.words()] })
    }

    fn incoming(names: &Names, spec: &Spec) -> Result<In> {
        let path = names.file_of(spec);
        while !path.exists() {
            thread::sleep(Duration::from_micros(100));
        }
        let (sender, receiver) = bytes_channel()?;
        IpcSender::connect(fs::read_to_string(path)?)?.send(sender)?;
        Ok(In { receiver, words: spec.words() })
    }
}

pub(crate) struct Out {
    server: Option<IpcOneShotServer<IpcBytesSender>>,
    sender: Option<IpcBytesSender>,
    buffer: Vec<u64>,
}

impl Outgoing for Out {
    fn send(&mut self, seq: u64, touch: bool) -> Result<()> {
        if let Some(server) = self.server.take() {
            self.sender = Some(server.accept()?.1);
        }
        if touch {
            fill(&mut self.buffer, seq);
        }
        let sender = self.sender.as_ref().ok_or("the receiver has not come")?;
        Ok(sender.send(bytemuck::cast_slice(&self.buffer))?)
    }
}

pub(crate) struct In {
    receiver: IpcBytesReceiver,
    words: usize,
}

impl In {
    fn check(&self, bytes: &[u8], seq: u64, touch: bool) -> Result<()> {
        if bytes.len() != self.words * 8 {
            return Err(format!("message {seq} has {} bytes", bytes.len()).into());
        }
        if !touch {
            return Ok(());
        }
        match bytemuck::try_cast_slice(bytes) {
            Ok(words) => check(words, seq),
            Err(_) => Err("the bytes received are not aligned to 8".into()),
        }
    }
}

impl Incoming for In {
    fn try_receive(&mut self, seq: u64, touch: bool) -> Result<bool> {
        match self.receiver.try_recv() {
            Ok(bytes) => self.check(&bytes, seq, touch).map(|()| true),
            Err(TryRecvError::Empty) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn block(&mut self, seq: u64, touch: bool) -> Result<()> {
        let bytes = self.receiver.recv()?;
        self.check(&bytes, seq, touch)
    }
}
