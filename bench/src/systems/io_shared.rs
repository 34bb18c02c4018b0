//! io-shared, with every option at its default, with `.stamps(false)`, and polled by `try_get`.

use std::hint;

use io_shared::{Channel, Consumer, Message, Producer};

use crate::Result;
use crate::names::Names;
use crate::run::{Incoming, Outgoing, Spec, check, fill};
use crate::system::System;

/// The default: `get` spins before it sleeps.
pub(crate) struct Stamped;
pub(crate) struct Unstamped;
/// `try_get` again and again.
pub(crate) struct Looking;

impl System for Stamped {
    type Out = Out;
    type In = In<true>;
    const NAME: &'static str = crate::system::IO_SHARED;
    const SETTINGS: &'static str = "this checkout; default options; get()";

    fn outgoing(names: &Names, spec: &Spec) -> Result<Self::Out> {
        Out::open(names, spec, true)
    }

    fn incoming(names: &Names, spec: &Spec) -> Result<Self::In> {
        In::open(names, spec)
    }
}

impl System for Unstamped {
    type Out = Out;
    type In = In<true>;
    const NAME: &'static str = crate::system::NO_STAMPS;
    const SETTINGS: &'static str = "this checkout; .stamps(false); get()";
    const POLLS_ONLY: bool = true;

    fn outgoing(names: &Names, spec: &Spec) -> Result<Self::Out> {
        Out::open(names, spec, false)
    }

    fn incoming(names: &Names, spec: &Spec) -> Result<Self::In> {
        In::open(names, spec)
    }
}

impl System for Looking {
    type Out = Out;
    type In = In<false>;
    const NAME: &'static str = crate::system::LOOKING;
    const SETTINGS: &'static str = "this checkout; default options; try_get() in a loop";
    const POLLS_ONLY: bool = true;

    fn outgoing(names: &Names, spec: &Spec) -> Result<Self::Out> {
        Out::open(names, spec, true)
    }

    fn incoming(names: &Names, spec: &Spec) -> Result<Self::In> {
        In::open(names, spec)
    }
}

/// A message of 16 bytes has a fixed size; a larger one is a slice.
enum Either<A, B> {
    Small(A),
    Large(B),
}

fn small(spec: &Spec) -> bool {
    spec.payload == size_of::<[u64; 2]>()
}

fn channel<T: Message + ?Sized>(name: &str, spec: &Spec) -> Channel<T> {
    let channel = Channel::named(name);
    if spec.receivers == 1 { channel } else { channel.consumers(spec.receivers) }
}

pub(crate) struct Out {
    producer: Either<Producer<[u64; 2]>, Producer<[u64]>>,
    words: usize,
    name: String,
}

impl Out {
    fn open(names: &Names, spec: &Spec, stamps: bool) -> Result<Self> {
        let (name, words) = (names.name(spec), spec.words());
        let producer = if small(spec) {
            Either::Small(channel(&name, spec).stamps(stamps).producer()?)
        } else {
            Either::Large(channel(&name, spec).stamps(stamps).elements(words).producer()?)
        };
        Ok(Self { producer, words, name })
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        // There is nobody to report an error to, and the peer may have gone first.
        let _ = Channel::remove(&self.name);
    }
}

impl Outgoing for Out {
    #[inline]
    fn send(&mut self, seq: u64, touch: bool) -> Result<()> {
        match &mut self.producer {
            Either::Small(producer) => {
                let mut loan = producer.loan()?;
                if touch {
                    fill(&mut *loan, seq);
                }
                loan.put()?;
            }
            Either::Large(producer) => {
                let mut loan = producer.loan_len(self.words)?;
                if touch {
                    fill(&mut loan, seq);
                }
                loan.put()?;
            }
        }
        Ok(())
    }
}

/// `GET`: polls by `get`.
pub(crate) struct In<const GET: bool> {
    consumer: Either<Consumer<[u64; 2]>, Consumer<[u64]>>,
}

impl<const GET: bool> In<GET> {
    fn open(names: &Names, spec: &Spec) -> Result<Self> {
        let name = names.name(spec);
        let consumer = if small(spec) {
            Either::Small(channel(&name, spec).consumer()?)
        } else {
            Either::Large(channel(&name, spec).consumer()?)
        };
        Ok(Self { consumer })
    }
}

impl<const GET: bool> Incoming for In<GET> {
    #[inline]
    fn try_receive(&mut self, seq: u64, touch: bool) -> Result<bool> {
        match &mut self.consumer {
            Either::Small(consumer) => match consumer.try_get()? {
                Some(value) if touch => check(&*value, seq).map(|()| true),
                value => Ok(value.is_some()),
            },
            Either::Large(consumer) => match consumer.try_get()? {
                Some(value) if touch => check(&value, seq).map(|()| true),
                value => Ok(value.is_some()),
            },
        }
    }

    #[inline]
    fn poll(&mut self, seq: u64, touch: bool) -> Result<()> {
        if GET {
            return self.block(seq, touch);
        }
        while !self.try_receive(seq, touch)? {
            hint::spin_loop();
        }
        Ok(())
    }

    #[inline]
    fn block(&mut self, seq: u64, touch: bool) -> Result<()> {
        match &mut self.consumer {
            Either::Small(consumer) => {
                let value = consumer.get()?;
                if touch { check(&*value, seq) } else { Ok(()) }
            }
            Either::Large(consumer) => {
                let value = consumer.get()?;
                if touch { check(&value, seq) } else { Ok(()) }
            }
        }
    }
}
