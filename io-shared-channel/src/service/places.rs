//! Where the channels of a service lie: their names, and the removal of those that nobody uses.

use io_shared_core::{Error, ErrorKind, Location, Name, Result, inspect};

/// The most clients that a service has at a time.
pub(super) const MOST_CLIENTS: u32 = 9999;

/// The names of a service's channels: for the service `/segment` these are `/segment/server`,
/// `/segment/bell`, and `/segment/1/question` and `/segment/1/answer` of its client 1.
#[derive(Debug, Clone)]
pub(super) struct Places {
    base: String,
}

/// What a name below the service's is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Server,
    Bell,
    Question(u32),
    Answer(u32),
}

impl Places {
    /// The places of the service called `name`.
    ///
    /// # Errors
    /// [`ErrorKind::BadName`].
    pub(super) fn new(name: &str) -> Result<Self> {
        let base = Name::new(name)?.to_string();
        let places = Self { base };
        Name::new(&places.name(Place::Question(MOST_CLIENTS))).map_err(|_| {
            let reason = "it is too long for a service, whose channels add 14 bytes to it: at most \
                          236 bytes (its domain, if IO_SHARED_DOMAIN is set, counts)";
            Error::new(&places.base, ErrorKind::BadName { reason })
        })?;
        Ok(places)
    }

    /// The service's name.
    pub(super) fn service(&self) -> &str {
        &self.base
    }

    pub(super) fn name(&self, place: Place) -> String {
        let base = &self.base;
        match place {
            Place::Server => format!("{base}/server"),
            Place::Bell => format!("{base}/bell"),
            Place::Question(client) => format!("{base}/{client}/question"),
            Place::Answer(client) => format!("{base}/{client}/answer"),
        }
    }

    pub(super) fn location(&self, place: Place) -> Result<Location> {
        Ok(Name::new(&self.name(place))?.into())
    }

    /// What `name` is for this service.
    pub(super) fn place_of(&self, name: &str) -> Option<Place> {
        let place = match name.strip_prefix(&self.base)?.strip_prefix('/')? {
            "server" => Place::Server,
            "bell" => Place::Bell,
            pair => match pair.split_once('/')? {
                (client, "question") => Place::Question(client.parse().ok()?),
                (client, "answer") => Place::Answer(client.parse().ok()?),
                _ => return None,
            },
        };
        // Not `01`, nor `+1`.
        (self.name(place) == name).then_some(place)
    }

    /// Removes the service's channels that nobody uses: what programs have left that were killed.
    /// What this process may not remove stays. Returns the numbers of the living clients.
    pub(super) fn sweep(&self) -> Result<Vec<u32>> {
        let mut clients = Vec::new();
        let names = inspect::Names::default().look()?.unwrap_or_default();
        for place in names.iter().filter_map(|name| self.place_of(name)) {
            let location = self.location(place)?;
            // A look first: to remove one takes all of its roles for a moment.
            let Ok(entry) = inspect::entry(&location) else { continue };
            let inspect::Content::Region(region) = entry.content else { continue };
            let has_producer = region.producer.as_ref().is_some_and(|it| it.is_connected);
            match place {
                _ if !region.is_used() => {
                    if let Err(error) = inspect::remove_unused(&location) {
                        tracing::debug!(%error, "an unused channel of the service stays");
                    }
                }
                Place::Question(client) if has_producer => clients.push(client),
                _ => {}
            }
        }
        Ok(clients)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_below_the_services_is_known_for_what_it_is() {
        let places = Places::new("a/segment").unwrap();
        assert_eq!(places.service(), "/a/segment");
        for place in [Place::Server, Place::Bell, Place::Question(7), Place::Answer(9999)] {
            assert_eq!(places.place_of(&places.name(place)), Some(place));
        }
        for other in ["/a/segment", "/a/segment2/server", "/a/segment/01/question", "/segment/bell"]
        {
            assert_eq!(places.place_of(other), None, "{other}");
        }
        // A service below it is another one.
        let below = Places::new("/a/segment/1").unwrap();
        assert_eq!(places.place_of(&below.name(Place::Question(1))), None);
        assert_eq!(places.place_of(&below.name(Place::Server)), None);
    }

    #[test]
    fn a_name_that_leaves_no_room_for_those_of_its_channels_is_refused() {
        assert!(Places::new(&"x".repeat(236)).is_ok());
        let error = Places::new(&"x".repeat(237)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadName { .. }), "{error}");
        assert!(error.to_string().contains("at most 236 bytes"), "{error}");
    }
}
