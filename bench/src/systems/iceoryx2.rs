//! iceoryx2, set up as in its own benchmark: one slot with overflow and no history. It has room for
//! one publisher, one subscriber and one loan, which takes the least memory. As in that benchmark,
//! the next sample is loaned before waiting for the answer. To block, it uses an additional event.

use std::mem::MaybeUninit;
use std::sync::Once;

use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{LogLevel, Node, NodeBuilder, ServiceName, ipc, set_log_level};
use iceoryx2::sample_mut_uninit::SampleMutUninit;

use crate::Result;
use crate::names::Names;
use crate::run::{Incoming, Outgoing, Spec, Wait, check, fill};
use crate::system::System;

pub(crate) struct Iceoryx2;

type Service = ipc::Service;
type Loaned<T> = SampleMutUninit<Service, T, ()>;

/// One of our services. (A macro, because the common trait of its types is not public.)
macro_rules! service {
    ($node:expr, $name:expr, $spec:expr, $payload:ty) => {
        $node
            .service_builder($name)
            .publish_subscribe::<$payload>()
            .max_publishers(1)
            .max_subscribers($spec.receivers)
            .max_nodes($spec.receivers + 1)
            .history_size(0)
            .subscriber_max_buffer_size(1)
            .subscriber_max_borrowed_samples(1)
            .enable_safe_overflow(true)
            .open_or_create()?
    };
}

impl System for Iceoryx2 {
    type Out = Out;
    type In = In;
    const NAME: &'static str = crate::system::ICEORYX2;
    const SETTINGS: &'static str = "0.10; ipc::Service, buffer 1, overflow, no history, \
         1 borrowed, 1 loaned, 1 publisher, as many subscribers as needed; \
         blocking: notifier and listener";

    fn outgoing(names: &Names, spec: &Spec) -> Result<Out> {
        let (node, name) = node(names, spec)?;
        let notifier = match spec.wait {
            Wait::Poll => None,
            Wait::Block => Some(event(&node, &name)?.notifier_builder().create()?),
        };
        let data = if small(spec) {
            let service = service!(node, &name, spec, [u64; 2]);
            let publisher = service.publisher_builder().max_loaned_samples(1).create()?;
            Publishing::Small { next: Some(publisher.loan_uninit()?), publisher }
        } else {
            let service = service!(node, &name, spec, [u64]);
            let publisher = service
                .publisher_builder()
                .initial_max_slice_len(spec.words())
                .max_loaned_samples(1)
                .create()?;
            let next = Some(publisher.loan_slice_uninit(spec.words())?);
            Publishing::Large { next, publisher, words: spec.words() }
        };
        Ok(Out { data, notifier, _node: node })
    }

    fn incoming(names: &Names, spec: &Spec) -> Result<In> {
        let (node, name) = node(names, spec)?;
        let listener = match spec.wait {
            Wait::Poll => None,
            Wait::Block => Some(event(&node, &name)?.listener_builder().create()?),
        };
        let data = if small(spec) {
            let service = service!(node, &name, spec, [u64; 2]);
            Subscribed::Small(service.subscriber_builder().create()?)
        } else {
            let service = service!(node, &name, spec, [u64]);
            Subscribed::Large(service.subscriber_builder().create()?)
        };
        Ok(In { data, listener, _node: node })
    }
}

fn small(spec: &Spec) -> bool {
    spec.payload == size_of::<[u64; 2]>()
}

fn node(names: &Names, spec: &Spec) -> Result<(Node<Service>, ServiceName)> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| set_log_level(LogLevel::Error));
    let name = names.name(spec);
    Ok((NodeBuilder::new().create::<Service>()?, name.as_str().try_into()?))
}

fn event(
    node: &Node<Service>,
    name: &ServiceName,
) -> Result<iceoryx2::service::port_factory::event::PortFactory<Service>> {
    let builder = node.service_builder(name).event();
    Ok(builder.max_notifiers(1).max_listeners(1).event_id_max_value(1).open_or_create()?)
}

enum Publishing {
    Small {
        next: Option<Loaned<MaybeUninit<[u64; 2]>>>,
        publisher: Publisher<Service, [u64; 2], ()>,
    },
    Large {
        next: Option<Loaned<[MaybeUninit<u64>]>>,
        publisher: Publisher<Service, [u64], ()>,
        words: usize,
    },
}

pub(crate) struct Out {
    data: Publishing,
    notifier: Option<Notifier<Service>>,
    _node: Node<Service>,
}

impl Outgoing for Out {
    #[inline]
    fn send(&mut self, seq: u64, touch: bool) -> Result<()> {
        match &mut self.data {
            Publishing::Small { next, .. } => {
                let mut sample = next.take().ok_or("no sample was loaned")?;
                if touch {
                    sample.payload_mut().write([seq; 2]);
                }
                // SAFETY: shared memory starts as zeros, and any bits are a [u64; 2].
                unsafe { sample.assume_init() }.send()?;
            }
            Publishing::Large { next, .. } => {
                let mut sample = next.take().ok_or("no sample was loaned")?;
                if touch {
                    let payload = sample.payload_mut();
                    // SAFETY: shared memory starts as zeros, and any bits are a u64.
                    fill(unsafe { payload.assume_init_mut() }, seq);
                }
                // SAFETY: as above.
                unsafe { sample.assume_init() }.send()?;
            }
        }
        if let Some(notifier) = &self.notifier {
            notifier.notify()?;
        }
        match &mut self.data {
            Publishing::Small { next, publisher } => *next = Some(publisher.loan_uninit()?),
            Publishing::Large { next, publisher, words } => {
                *next = Some(publisher.loan_slice_uninit(*words)?);
            }
        }
        Ok(())
    }
}

enum Subscribed {
    Small(Subscriber<Service, [u64; 2], ()>),
    Large(Subscriber<Service, [u64], ()>),
}

pub(crate) struct In {
    data: Subscribed,
    listener: Option<Listener<Service>>,
    _node: Node<Service>,
}

impl Incoming for In {
    #[inline]
    fn try_receive(&mut self, seq: u64, touch: bool) -> Result<bool> {
        match &self.data {
            Subscribed::Small(subscriber) => match subscriber.receive()? {
                Some(sample) if touch => check(sample.payload(), seq).map(|()| true),
                sample => Ok(sample.is_some()),
            },
            Subscribed::Large(subscriber) => match subscriber.receive()? {
                Some(sample) if touch => check(sample.payload(), seq).map(|()| true),
                sample => Ok(sample.is_some()),
            },
        }
    }

    /// Polling has no spin hint, because it is faster without one (by 3 to 18 % in alternating
    /// runs).
    #[inline]
    fn poll(&mut self, seq: u64, touch: bool) -> Result<()> {
        while !self.try_receive(seq, touch)? {}
        Ok(())
    }

    #[inline]
    fn block(&mut self, seq: u64, touch: bool) -> Result<()> {
        while !self.try_receive(seq, touch)? {
            if let Some(listener) = &self.listener {
                listener.blocking_wait(|_| {})?;
            }
        }
        Ok(())
    }
}
