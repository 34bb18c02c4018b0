//! A producer puts and a consumer gets: neither has the other's methods.

fn main() {
    let mut consumer = io_shared::consumer::<f64>("/x").unwrap();
    consumer.put(&20.5).unwrap();
    let mut producer = io_shared::producer::<f64>("/x").unwrap();
    producer.get().unwrap();
}
