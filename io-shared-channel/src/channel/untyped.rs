//! Channels whose type this program does not have.

use io_shared_core::Schema;

use super::Channel;
use crate::options::Described;

/// Messages of a type that this program does not have: it puts and gets their bytes.
impl Channel<[u8]> {
    /// Says what type the bytes have. Programs that have the type open the channel with it.
    ///
    /// The bytes are aligned as the type asks. A put of a length that the type does not allow fails
    /// with [`ErrorKind::BadLength`](crate::ErrorKind::BadLength).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let name = &format!("/doc-channel-schema-{}", std::process::id());
    /// use io_shared::{Channel, ErrorKind, Schema};
    /// let pair = Schema::from_json(r#"{"array":2,"of":"<f4"}"#)?;
    /// let mut bytes = Channel::<[u8]>::named(name).schema(pair).producer()?;
    /// bytes.put(&[0, 0, 128, 63, 0, 0, 0, 64])?;
    /// assert_eq!(*io_shared::consumer::<[f32; 2]>(name)?.get()?, [1.0, 2.0]);
    ///
    /// let error = bytes.put(&[0; 7]).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::BadLength { .. }));
    /// # io_shared::remove(name)?;
    /// # Ok(()) }
    /// ```
    pub fn schema(mut self, schema: Schema) -> Self {
        self.options.described = Described::As(schema);
        self
    }

    /// Accepts whatever type the channel's messages have;
    /// [`Consumer::schema`](crate::Consumer::schema) and
    /// [`Observer::schema`](crate::Observer::schema) say which. For consumers and observers, which
    /// then wait for the channel to exist.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-channel-any-schema-{}", std::process::id());
    /// use io_shared::Channel;
    /// # io_shared::producer::<[u16; 2]>(name)?.put(&[1, 2])?;
    /// let mut bytes = Channel::<[u8]>::named(name).any_schema().consumer()?;
    /// assert_eq!(bytes.schema().to_json(), r#"{"array":2,"of":"<u2"}"#);
    /// assert_eq!(*bytes.get()?, [1, 0, 2, 0]);
    ///
    /// // A producer has to know what it puts.
    /// assert!(Channel::<[u8]>::named(name).any_schema().producer().is_err());
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn any_schema(mut self) -> Self {
        self.options.described = Described::ByChannel;
        self
    }
}
