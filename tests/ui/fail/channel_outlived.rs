//! There is one loan at a time. Neither a loan nor a guard outlives its handle, and nothing is used
//! after it was dropped or put.

fn main() {
    let mut producer = io_shared::producer::<f64>("/x").unwrap();
    let first = producer.loan().unwrap();
    let second = producer.loan().unwrap();
    first.put().unwrap();
    first.put().unwrap();
    drop(second);
    let loan = producer.loan().unwrap();
    drop(producer);
    drop(loan);
    let mut consumer = io_shared::consumer::<f64>("/x").unwrap();
    let guard = consumer.get().unwrap();
    drop(consumer);
    println!("{}", *guard);
    let mut consumer = io_shared::consumer::<f64>("/x").unwrap();
    let guard = consumer.get().unwrap();
    consumer.get().unwrap();
    println!("{}", *guard);
}
