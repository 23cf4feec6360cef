//! The saved state of a job for its next attempt: the body's own, and that of its iterative algorithm.
//!
//! A store keeps one checkpoint of a job, which has a part for each of the two states. So neither state is taken
//! for the other or replaces it.

use std::{borrow::Cow, sync::Arc};

/// The first bytes of a checkpoint with the state of an algorithm. Any other checkpoint is the body's own bytes.
const MARK: [u8; 16] = *b"\xf5job-iterative\x01\x0a";

/// The number of the call of [`JobContext::iterate`](crate::JobContext::iterate) in an attempt. The outcomes of
/// earlier calls count, because a body may go another way after a failure that it has caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Call {
    /// How many calls of `iterate` began before this one.
    pub(crate) number: u32,
    /// How many of the earlier calls failed or panicked.
    pub(crate) failed: u32,
}

/// The saved states.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Saved {
    pub(crate) own: Option<Arc<[u8]>>,
    pub(crate) iterative: Option<(Call, Arc<[u8]>)>,
}

impl Saved {
    /// The stored form: the mark, one byte, the length of the body's state, that state, the call, and the
    /// algorithm's state. The byte is 1 if the body has saved.
    pub(crate) fn encode(&self) -> Cow<'_, [u8]> {
        let own = self.own.as_deref().unwrap_or_default();
        let Some((call, state)) = &self.iterative else {
            // The body's own bytes stay as they are, unless they begin with the mark.
            return if own.starts_with(&MARK) {
                Cow::Owned(self.pack(Call::NONE, &[]))
            } else {
                Cow::Borrowed(own)
            };
        };
        Cow::Owned(self.pack(*call, state))
    }

    fn pack(&self, call: Call, state: &[u8]) -> Vec<u8> {
        let own = self.own.as_deref().unwrap_or_default();
        let length = own.len() as u64;
        [
            &MARK[..],
            &[u8::from(self.own.is_some())],
            &length.to_be_bytes(),
            own,
            &call.number.to_be_bytes(),
            &call.failed.to_be_bytes(),
            state,
        ]
        .concat()
    }

    /// Decodes the stored form. The state of an algorithm that an earlier version saved counts as the body's own,
    /// so the algorithm begins anew.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        Self::unpack(bytes).unwrap_or_else(|| Self { own: Some(bytes.into()), iterative: None })
    }

    fn unpack(bytes: &[u8]) -> Option<Self> {
        let (&flag, rest) = bytes.strip_prefix(&MARK)?.split_first()?;
        let (length, rest) = rest.split_first_chunk::<8>()?;
        let (own, rest) = rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
        let (number, rest) = rest.split_first_chunk::<4>()?;
        let (failed, state) = rest.split_first_chunk::<4>()?;
        let call = Call { number: u32::from_be_bytes(*number), failed: u32::from_be_bytes(*failed) };
        Some(Self {
            own: (flag == 1).then(|| own.into()),
            iterative: (call != Call::NONE).then(|| (call, state.into())),
        })
    }
}

impl Call {
    /// No algorithm has saved anything.
    const NONE: Self = Self { number: u32::MAX, failed: u32::MAX };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let tail = prop::collection::vec(any::<u8>(), 0..40);
        (any::<bool>(), tail).prop_map(|(marked, tail)| if marked { [&MARK[..], &tail].concat() } else { tail })
    }

    proptest! {
        #[test]
        fn both_states_are_read_as_they_were_saved(
            own in prop::option::of(bytes()), state in prop::option::of((0..9u32, 0..9u32, bytes())),
        ) {
            let saved = Saved {
                own: own.map(Arc::from),
                iterative: state.map(|(number, failed, state)| (Call { number, failed }, state.into())),
            };
            prop_assume!(saved != Saved::default());
            prop_assert_eq!(Saved::decode(&saved.encode()), saved);
        }
    }

    /// The body's own bytes are stored unchanged, as before there were two states.
    #[test]
    fn own_bytes_are_stored_as_they_are() {
        for own in [&b""[..], b"half", &7u64.to_be_bytes()] {
            let saved = Saved { own: Some(own.into()), iterative: None };
            assert_eq!((&*saved.encode(), Saved::decode(own)), (own, saved.clone()));
        }
    }
}
