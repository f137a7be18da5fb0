//! Tasks as the scripts read them (`TASK` in order.lua), numbers big-endian.

use domain::task::{Priority, QueueClass};
use domain::{CompanyId, TaskId, Timestamp, VersionId};
use uuid::Uuid;

use crate::Queued;
use crate::order::{index, key};

/// Bytes of a packed task.
const PACKED: usize = 95;

/// A task in bytes. Its key among those of its company and class sorts by its
/// bytes: rank, acceptance with its sign bit turned, id.
pub(super) fn pack(task: &Queued) -> Vec<u8> {
    let key = key(task);
    let max_running = task.max_running.map_or(-1, i64::from);
    let mut packed = Vec::with_capacity(PACKED);
    packed.extend(task.company.0.as_bytes());
    packed.extend(task.version.0.as_bytes());
    packed.push(key.rank);
    packed.extend((key.submitted_at.0 ^ i64::MIN).to_be_bytes());
    packed.extend(key.task.0.as_bytes());
    packed.push(index(task.class) as u8 + 1);
    packed.push(u8::from(task.priority));
    packed.extend(task.company_weight.to_be_bytes());
    packed.extend(max_running.to_be_bytes());
    packed.extend(task.expected_ms.to_be_bytes());
    packed.extend(task.submitted_at.0.to_be_bytes());
    packed.extend(task.available_at.0.to_be_bytes());
    packed
}

/// The task of the bytes; `None` where they are none's.
pub(super) fn unpack(packed: &[u8]) -> Option<Queued> {
    let mut rest = packed;
    let company = CompanyId(uuid(&mut rest)?);
    let version = VersionId(uuid(&mut rest)?);
    take::<9>(&mut rest)?;
    let task = TaskId(uuid(&mut rest)?);
    let [class, priority] = take(&mut rest)?;
    let company_weight = u32::from_be_bytes(take(&mut rest)?);
    let max_running = u32::try_from(i64::from_be_bytes(take(&mut rest)?)).ok();
    let expected_ms = f64::from_be_bytes(take(&mut rest)?);
    let submitted_at = Timestamp(i64::from_be_bytes(take(&mut rest)?));
    let available_at = Timestamp(i64::from_be_bytes(take(&mut rest)?));
    Some(Queued {
        company,
        company_weight,
        max_running,
        task,
        version,
        class: *QueueClass::ALL.get(usize::from(class).checked_sub(1)?)?,
        priority: Priority::try_from(priority).ok()?,
        expected_ms,
        submitted_at,
        available_at,
    })
}

/// The id of the task that a key is of.
pub(super) fn task_of_key(key: &[u8]) -> Option<TaskId> {
    let mut id = key.get(9..)?;
    uuid(&mut id).map(TaskId)
}

/// The next id.
pub(super) fn uuid(rest: &mut &[u8]) -> Option<Uuid> {
    take(rest).map(Uuid::from_bytes)
}

/// The next `N` bytes.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_task() -> impl Strategy<Value = Queued> {
        let ids = (any::<u128>(), any::<u128>(), any::<u128>());
        let numbers =
            (any::<u32>(), any::<Option<u32>>(), any::<f64>(), any::<i64>(), any::<i64>());
        (ids, numbers, 0usize..3, 0u8..=9).prop_map(|(ids, numbers, class, priority)| Queued {
            company: CompanyId(Uuid::from_u128(ids.0)),
            company_weight: numbers.0,
            max_running: numbers.1,
            task: TaskId(Uuid::from_u128(ids.1)),
            version: VersionId(Uuid::from_u128(ids.2)),
            class: QueueClass::ALL[class],
            priority: Priority::try_from(priority).expect("up to 9"),
            expected_ms: numbers.2,
            submitted_at: Timestamp(numbers.3),
            available_at: Timestamp(numbers.4),
        })
    }

    proptest! {
        #[test]
        fn a_task_is_read_as_it_was_written(task in any_task()) {
            let packed = pack(&task);
            prop_assert_eq!(packed.len(), PACKED);
            prop_assert_eq!(unpack(&packed), Some(task));
        }

        #[test]
        fn keys_sort_by_their_bytes(one in any_task(), other in any_task()) {
            let bytes = |task: &Queued| pack(task)[32..57].to_vec();
            prop_assert_eq!(bytes(&one).cmp(&bytes(&other)), key(&one).cmp(&key(&other)));
            prop_assert_eq!(task_of_key(&bytes(&one)), Some(one.task));
        }
    }
}
