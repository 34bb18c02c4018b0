//! Safe code makes no list of its own, and does not see the bytes in which lists lie.

use io_shared::private::bytemuck;
use io_shared::{List, ListData, Message};

#[derive(Message)]
#[repr(C)]
struct Labels {
    first: List<u32>,
    second: List<u32>,
    data: ListData,
}

fn main() -> io_shared::Result<()> {
    let mut producer = io_shared::producer::<Labels>("/x")?;
    let mut loan = producer.loan_lists(Labels::capacity().first(3))?;
    loan.data.bytes[0] = 1;
    loan.first.offset = 8;
    loan.first = bytemuck::cast([32_u64, 3]);
    let _: &List<u32> = bytemuck::from_bytes(&[0; 16]);
    loan.second = loan.first.clone();
    let _ = loan.data.as_bytes();
    Ok(())
}
