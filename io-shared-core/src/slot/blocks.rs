//! The memory of a private copy.

use std::ops::{Deref, DerefMut};
use std::slice;

use memmap2::{Advice, MmapMut};

/// 64 bytes of a copy, aligned as any message that can be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Block(pub(super) [u64; 8]);

/// The blocks of a copy.
#[derive(Debug)]
pub(super) enum Blocks {
    Allocated(Vec<Block>),
    Mapped(MmapMut),
}

impl Blocks {
    /// Blocks of zeros, most of which nobody will write; `None` if there is no memory for them.
    /// Where they are many, the kernel gives memory only to the pages that are written: an
    /// allocator writes the zeros of all.
    pub(super) fn zeros(count: usize) -> Option<Self> {
        const FEW: usize = (64 << 10) / size_of::<Block>();
        if count <= FEW {
            let mut blocks = Vec::new();
            blocks.try_reserve_exact(count).ok()?;
            blocks.resize(count, Block([0; 8]));
            return Some(Self::Allocated(blocks));
        }
        let pages = MmapMut::map_anon(count.checked_mul(size_of::<Block>())?).ok()?;
        // It would write all zeros of one. Where it has none, it knows no such advice.
        let _ = pages.advise(Advice::NoHugePage);
        Some(Self::Mapped(pages))
    }
}

impl From<Vec<Block>> for Blocks {
    fn from(blocks: Vec<Block>) -> Self {
        Self::Allocated(blocks)
    }
}

impl Clone for Blocks {
    fn clone(&self) -> Self {
        Self::Allocated(self.to_vec())
    }
}

impl Deref for Blocks {
    type Target = [Block];

    fn deref(&self) -> &[Block] {
        match self {
            Self::Allocated(blocks) => blocks,
            Self::Mapped(pages) => {
                let count = pages.len() / size_of::<Block>();
                // SAFETY: the pages span as many blocks, are aligned for more, and are borrowed;
                // any bytes are blocks.
                unsafe { slice::from_raw_parts(pages.as_ptr().cast(), count) }
            }
        }
    }
}

impl DerefMut for Blocks {
    fn deref_mut(&mut self) -> &mut [Block] {
        match self {
            Self::Allocated(blocks) => blocks,
            Self::Mapped(pages) => {
                let count = pages.len() / size_of::<Block>();
                // SAFETY: as above; they are borrowed mutably.
                unsafe { slice::from_raw_parts_mut(pages.as_mut_ptr().cast(), count) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_blocks_are_zeros_until_they_are_written_and_clones_are_apart() {
        for count in [0, 1, 1024, 1025, 65_536] {
            let mut blocks = Blocks::zeros(count).unwrap();
            assert_eq!(blocks.len(), count);
            assert!(blocks.iter().all(|block| *block == Block([0; 8])));
            let Some(last) = blocks.last_mut() else { continue };
            *last = Block([7; 8]);
            let clone = blocks.clone();
            blocks[count - 1] = Block([8; 8]);
            assert_eq!(clone.last(), Some(&Block([7; 8])));
        }
        assert!(Blocks::zeros(usize::MAX / 64).is_none());
    }
}
