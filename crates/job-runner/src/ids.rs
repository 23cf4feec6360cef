//! [`IdSource`]: ids that ascend in the order of submission, also within a millisecond.

use job_core::{JobId, Timestamp};
use uuid::Uuid;

use crate::sync::Mutex;

/// Makes job ids. Each is greater than all before it from this source, even if the clock goes back, so that the
/// order of ids is the order of submission.
#[derive(Debug, Default)]
pub(crate) struct IdSource {
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    millis: u64,
    entropy: [u8; 10],
}

impl IdSource {
    pub(crate) fn next(&self, now: Timestamp) -> JobId {
        let mut last = self.last.lock();
        let millis = now.as_micros() / 1_000;
        if millis > last.millis {
            last.millis = millis;
            last.entropy = fresh();
        } else {
            // The seven low bytes are a counter that started below half its range.
            for byte in last.entropy.iter_mut().skip(3).rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
        }
        JobId::from_parts(Timestamp::from_micros(last.millis * 1_000), last.entropy)
    }
}

fn fresh() -> [u8; 10] {
    // Seven bytes of a random UUID that hold nothing of its version and variant, behind three that do no harm.
    let random = Uuid::new_v4().into_bytes();
    let mut entropy = [0; 10];
    for (to, from) in entropy.iter_mut().zip(random.into_iter().take(3).chain(random.into_iter().skip(9))) {
        *to = from;
    }
    if let Some(top) = entropy.get_mut(3) {
        *top &= 0x7f;
    }
    entropy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_within_a_millisecond_and_when_the_clock_goes_back() {
        let source = IdSource::default();
        let mut last = JobId::MIN;
        for step in 0..3_000u64 {
            let now = if step % 100 == 99 { 1_000_000 } else { 2_000_000 + step / 10 };
            let id = source.next(Timestamp::from_micros(now));
            assert!(id > last, "{id} after {last}");
            last = id;
        }
    }
}
