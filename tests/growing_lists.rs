//! A channel whose messages get more lists: its users go on, and read those that they know.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use io_shared::{Channel, List, ListData, Message};
use test_support::TestName;

#[test]
fn a_message_with_lists_gets_more_lists_under_its_users() {
    mod later {
        #[derive(io_shared::Message)]
        #[repr(C)]
        pub(super) struct Labels {
            pub(super) frame: u64,
            pub(super) labels: io_shared::List<u32>,
            pub(super) scores: io_shared::List<f64>,
            pub(super) sure: bool,
            pub(super) data: io_shared::ListData,
        }
    }
    #[derive(Debug, Message)]
    #[repr(C)]
    struct Labels {
        frame: u64,
        labels: List<u32>,
        data: ListData,
    }
    let name = TestName::new("more-lists");
    let most = Labels::capacity().labels(10);
    let mut old = Channel::<Labels>::named(&*name).lists(most).producer().unwrap();
    let mut consumer = io_shared::consumer::<Labels>(&*name).unwrap();
    let mut bytes = Channel::<[u8]>::named(&*name).schema(Labels::schema()).consumer().unwrap();
    let mut loan = old.loan_lists(Labels::capacity().labels(1)).unwrap();
    loan.lists_mut().labels[0] = 5;
    loan.put().unwrap();
    assert_eq!(consumer.get().unwrap().labels(), [5]);
    assert!(bytes.get().unwrap().starts_with(&[0; 8]));
    drop(old);
    let sizes = later::Labels::capacity().labels(2).scores(1);
    let mut new = Channel::<later::Labels>::named(&*name).lists(sizes).producer().unwrap();
    let mut loan = new.loan_lists(sizes).unwrap();
    (loan.frame, loan.sure) = (7, true);
    loan.lists_mut().labels.copy_from_slice(&[1, 2]);
    loan.lists_mut().scores[0] = 0.5;
    loan.put().unwrap();
    let found = consumer.get().unwrap();
    assert_eq!((found.frame, found.labels()), (7, &[1, 2][..]));
    drop(found);
    assert!(bytes.get().unwrap().starts_with(&7_u64.to_le_bytes()));
    let mut now = io_shared::consumer::<later::Labels>(&*name).unwrap();
    let found = now.get().unwrap();
    assert_eq!((found.labels(), found.scores(), found.sure), (&[1, 2][..], &[0.5][..], true));
    let mut late = io_shared::consumer::<Labels>(&*name).unwrap();
    assert_eq!(late.get().unwrap().labels(), [1, 2]);
}
