//! The history of calls in SQL.

use super::accounts::Id;
use super::{Database, StoreError};
use crate::switchboard::{CallRecord, CallStatus, CallType, EndReason};
use ahoy_call::{CallId, UserId};
use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, ToSql, params};
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

/// Records in one answer (IM-Suite §16.20).
const MOST_RECORDS: usize = 100;

impl Database {
    /// Keeps records; a later one of a call replaces an earlier one. All of them are kept when it returns, or none.
    pub(crate) fn put_records(&mut self, records: &[CallRecord]) -> Result<(), StoreError> {
        let begun = self.sql.transaction()?;
        {
            let mut put = begun.prepare_cached(
                "INSERT INTO history
                     (call_id, from_user, to_user, call_type, status, started_at, ended_at, duration, reason)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (call_id, started_at) DO UPDATE SET
                     call_type = excluded.call_type, status = excluded.status, ended_at = excluded.ended_at,
                     duration = excluded.duration, reason = excluded.reason",
            )?;
            for record in records {
                put.execute(params![
                    record.call_id.as_str(),
                    Id(record.from_user),
                    Id(record.to_user),
                    Word(word_of(&record.call_type)?),
                    Word(word_of(&record.status)?),
                    record.started_at.as_millisecond(),
                    record.ended_at.map(Timestamp::as_millisecond),
                    record.duration,
                    record.reason.map(EndReason::as_str),
                ])?;
            }
        }
        begun.commit()?;
        Ok(())
    }

    /// The calls of a user, newest first, 1 to 100; those that began before the call `before`, which is to be the user's
    /// own (IM-Suite §16.20).
    pub(crate) fn history(
        &self,
        user: UserId,
        limit: usize,
        before: Option<&CallId>,
    ) -> Result<Vec<CallRecord>, StoreError> {
        let before = match before {
            None => i64::MAX,
            Some(id) => {
                let own = self
                    .sql
                    .prepare_cached(
                        "SELECT max(position) FROM history WHERE call_id = ?1 AND (from_user = ?2 OR to_user = ?2)",
                    )?
                    .query_row(params![id.as_str(), Id(user)], |row| row.get::<_, Option<i64>>(0))
                    .optional()?
                    .flatten();
                match own {
                    Some(position) => position,
                    None => return Ok(Vec::new()),
                }
            }
        };
        // Two ordered index walks; with OR in one condition SQLite would sort all calls of the user.
        let mut query = self.sql.prepare_cached(
            "SELECT * FROM (
                 SELECT * FROM (SELECT * FROM history WHERE from_user = ?1 AND position < ?2
                                ORDER BY position DESC LIMIT ?3)
                 UNION ALL
                 SELECT * FROM (SELECT * FROM history WHERE to_user = ?1 AND position < ?2
                                ORDER BY position DESC LIMIT ?3))
             ORDER BY position DESC LIMIT ?3",
        )?;
        let rows = query.query_map(params![Id(user), before, limit.clamp(1, MOST_RECORDS)], record)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Ends what an earlier run left open (IM-Suite §16.19) and tells how many calls that were.
    pub(crate) fn end_open_records(&mut self, now: Timestamp) -> Result<usize, StoreError> {
        Ok(self.sql.execute(
            "UPDATE history SET status = 'ended', reason = 'server_error', ended_at = ?1
             WHERE status IN ('pending', 'answered')",
            [now.as_millisecond()],
        )?)
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<CallRecord> {
    Ok(CallRecord {
        call_id: CallId::new(row.get::<_, String>("call_id")?).map_err(|_| FromSqlError::InvalidType)?,
        from_user: row.get::<_, Id>("from_user")?.0,
        to_user: row.get::<_, Id>("to_user")?.0,
        call_type: row.get::<_, Parsed<CallType>>("call_type")?.0,
        status: row.get::<_, Parsed<CallStatus>>("status")?.0,
        started_at: row.get::<_, Milliseconds>("started_at")?.0,
        ended_at: row.get::<_, Option<Milliseconds>>("ended_at")?.map(|at| at.0),
        duration: row.get("duration")?,
        reason: row
            .get::<_, Option<Parsed<EndReason>>>("reason")?
            .map(|word| word.0),
    })
}

/// The word that serde writes for a unit variant: columns and JSON have the same ones.
fn word_of(value: &impl serde::Serialize) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(_) | Err(_) => Err(StoreError::Sql(rusqlite::Error::InvalidQuery)),
    }
}

struct Word(String);

impl ToSql for Word {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_str().into())
    }
}

struct Parsed<T>(T);

impl<T: DeserializeOwned> FromSql for Parsed<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word: StrDeserializer<'_, WordError> = value.as_str()?.into_deserializer();
        T::deserialize(word)
            .map(Parsed)
            .map_err(|_| FromSqlError::InvalidType)
    }
}

struct Milliseconds(Timestamp);

impl FromSql for Milliseconds {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Timestamp::from_millisecond(value.as_i64()?)
            .map(Milliseconds)
            .map_err(|_| FromSqlError::InvalidType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: u64) -> UserId {
        UserId::new(id).unwrap()
    }

    fn call(id: &str, from: u64, to: u64) -> CallRecord {
        CallRecord {
            call_id: CallId::new(id).unwrap(),
            from_user: user(from),
            to_user: user(to),
            call_type: CallType::Audio,
            status: CallStatus::Pending,
            started_at: Timestamp::from_millisecond(1_760_000_000_123).unwrap(),
            ended_at: None,
            duration: 0,
            reason: None,
        }
    }

    fn ids(records: &[CallRecord]) -> Vec<&str> {
        records.iter().map(|record| record.call_id.as_str()).collect()
    }

    #[test]
    fn a_later_record_replaces_an_earlier_one() {
        let mut database = Database::in_memory().unwrap();
        let mut record = call("a", 1, 2);
        database.put_records(&[record.clone()]).unwrap();
        record.status = CallStatus::Ended;
        record.call_type = CallType::Video;
        record.duration = 12;
        record.ended_at = Timestamp::from_millisecond(1_760_000_012_456).ok();
        record.reason = Some(EndReason::UserHangup);
        database.put_records(&[record.clone()]).unwrap();
        for participant in [1, 2] {
            assert_eq!(
                database.history(user(participant), 50, None).unwrap(),
                [record.clone()]
            );
        }
        assert!(database.history(user(3), 50, None).unwrap().is_empty());
    }

    #[test]
    fn a_reused_id_does_not_touch_the_record_of_others() {
        let mut database = Database::in_memory().unwrap();
        let first = call("a", 1, 2);
        let mut second = call("a", 3, 4);
        second.started_at = Timestamp::from_millisecond(1_760_009_000_000).unwrap();
        database.put_records(&[first.clone(), second.clone()]).unwrap();
        assert_eq!(database.history(user(1), 50, None).unwrap(), [first]);
        assert_eq!(database.history(user(3), 50, None).unwrap(), [second]);
    }

    #[test]
    fn pages_go_back_in_time_and_stay_with_the_user() {
        let mut database = Database::in_memory().unwrap();
        let records = [
            call("a", 1, 2),
            call("b", 2, 1),
            call("c", 3, 1),
            call("d", 2, 3),
            call("e", 1, 3),
        ];
        database.put_records(&records).unwrap();
        let page = |limit, before: Option<&str>| {
            let before = before.map(|id| CallId::new(id).unwrap());
            let records = database.history(user(1), limit, before.as_ref()).unwrap();
            ids(&records).join("")
        };
        assert_eq!(page(50, None), "ecba");
        assert_eq!(page(2, None), "ec");
        assert_eq!(page(2, Some("c")), "ba");
        assert_eq!(page(2, Some("a")), "");
        assert_eq!(page(2, Some("d")), "", "not a call of this user");
        assert_eq!(page(2, Some("x")), "");
        assert_eq!(page(0, None), "e", "at least one");
    }

    #[test]
    fn a_page_has_at_most_a_hundred_records() {
        let mut database = Database::in_memory().unwrap();
        let records: Vec<_> = (0..150).map(|i| call(&format!("c{i}"), 1, 2)).collect();
        database.put_records(&records).unwrap();
        let page = database.history(user(2), 1000, None).unwrap();
        assert_eq!((page.len(), page[0].call_id.as_str()), (100, "c149"));
    }

    #[test]
    fn what_was_open_ends_with_a_server_error_and_what_was_over_stays() {
        let mut database = Database::in_memory().unwrap();
        let mut over = call("over", 1, 2);
        over.status = CallStatus::Missed;
        over.reason = Some(EndReason::Timeout);
        over.ended_at = Some(over.started_at);
        let mut answered = call("answered", 1, 2);
        answered.status = CallStatus::Answered;
        database
            .put_records(&[over.clone(), answered, call("ringing", 1, 2)])
            .unwrap();
        let now = Timestamp::from_millisecond(1_760_000_100_000).unwrap();
        assert_eq!(database.end_open_records(now).unwrap(), 2);
        let history = database.history(user(1), 50, None).unwrap();
        for open in &history[..2] {
            assert_eq!(
                (open.status, open.reason, open.ended_at),
                (CallStatus::Ended, Some(EndReason::ServerError), Some(now))
            );
        }
        assert_eq!(history[2], over);
        assert_eq!(database.end_open_records(now).unwrap(), 0);
    }
}
