//! When a role ends: at Ctrl-C if a person started it, or at the end of its standard input if the
//! launcher did.
//!
//! The launcher keeps Ctrl-C from the roles it starts, so that it can end them one after the other
//! with every frame accounted for. If the launcher dies, its end of the pipe closes, and none of
//! them stays behind.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Says whether to go on; the clones are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn on_ctrl_c() -> Result<Stop, ctrlc::Error> {
        let stop = Stop::default();
        let stopper = stop.clone();
        ctrlc::set_handler(move || stopper.set())?;
        Ok(stop)
    }

    pub(crate) fn on_end_of_input() -> Stop {
        let stop = Stop::default();
        let stopper = stop.clone();
        thread::spawn(move || {
            // An error also counts as the end.
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            stopper.set();
        });
        stop
    }

    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
