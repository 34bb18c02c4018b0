//! What is last in a message with lists is no list: it is not lent or shortened alone.

use io_shared::{List, ListData, Message};

#[derive(Message)]
#[repr(C)]
struct Labels {
    labels: List<u32>,
    data: ListData,
}

fn main() -> io_shared::Result<()> {
    let mut producer = io_shared::producer::<Labels>("/x")?;
    producer.loan_lists(Labels::capacity().labels(3))?.truncate(1);
    producer.loan_len(3)?.put()?;
    Ok(())
}
