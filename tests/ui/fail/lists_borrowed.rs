//! The lists of a loan are lent once at a time, and none is in two places.

use io_shared::{List, ListData, Loan, Message};

#[derive(Message)]
#[repr(C)]
struct Labels {
    first: List<u32>,
    second: List<u32>,
    data: ListData,
}

fn twice(mut loan: Loan<'_, Labels>) {
    let one = loan.lists_mut();
    let other = loan.lists_mut();
    one.first[0] = other.first[0];
}

fn read_and_written(mut loan: Loan<'_, Labels>) {
    let lists = loan.lists_mut();
    let read = loan.first();
    lists.first[0] = read[0];
}

fn swapped_meanwhile(mut loan: Loan<'_, Labels>) {
    let loan = &mut *loan;
    let lists = loan.lists_mut();
    std::mem::swap(&mut loan.first, &mut loan.second);
    lists.first[0] = 1;
}

fn put_meanwhile(mut loan: Loan<'_, Labels>) -> io_shared::Result<u64> {
    let lists = loan.lists_mut();
    let put = loan.put();
    lists.first[0] = 1;
    put
}

fn in_two_places(mut loan: Loan<'_, Labels>) {
    loan.second = loan.first;
}

fn main() {}
