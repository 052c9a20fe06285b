//! Sign-ins that can be refreshed, each with the turn its newest refresh token carries (RFC 9700 §4.14.2: rotation).

use super::accounts::Id;
use super::{Database, StoreError};
use ahoy_call::UserId;
use rusqlite::{OptionalExtension, params};

/// Sign-ins of one account that can be refreshed; a further one costs the one that was quiet longest (chosen).
const SESSIONS_PER_ACCOUNT: usize = 20;
/// How long, in seconds, the token before the newest is still taken: the answer that carried the newest may have been lost
/// with the network that the client is just leaving (chosen, not measured).
const REPEAT: i64 = 60;

/// What became of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// The session goes on; its next token carries this turn.
    Turn(u64),
    /// The session is over, or never was.
    Refused,
}

impl Database {
    /// Begins a session at turn 0; times are seconds since 1970.
    pub(crate) fn begin_session(
        &mut self,
        id: &str,
        account: UserId,
        now: i64,
        expires_at: i64,
    ) -> Result<(), StoreError> {
        let begun = self.sql.transaction()?;
        begun.execute("DELETE FROM sessions WHERE expires_at < ?1", [now])?;
        begun.execute(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE account = ?1
             ORDER BY turned_at DESC LIMIT -1 OFFSET ?2)",
            params![Id(account), SESSIONS_PER_ACCOUNT - 1],
        )?;
        begun.execute(
            "INSERT INTO sessions (id, account, turn, turned_at, expires_at) VALUES (?1, ?2, 0, ?3, ?4)",
            params![id, Id(account), now, expires_at],
        )?;
        begun.commit()?;
        Ok(())
    }

    /// Takes a refresh token of a session. One that was used before ends the session: somebody else has it too.
    pub(crate) fn refresh_session(
        &mut self,
        id: &str,
        account: UserId,
        turn: u64,
        now: i64,
        expires_at: i64,
    ) -> Result<Refresh, StoreError> {
        let begun = self.sql.transaction()?;
        let kept: Option<(u64, i64)> = begun
            .query_row(
                "SELECT turn, turned_at FROM sessions WHERE id = ?1 AND account = ?2 AND expires_at >= ?3",
                params![id, Id(account), now],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        let answer = match kept {
            None => Refresh::Refused,
            Some((newest, _)) if turn == newest => {
                begun.execute(
                    "UPDATE sessions SET turn = turn + 1, turned_at = ?2, expires_at = ?3 WHERE id = ?1",
                    params![id, now, expires_at],
                )?;
                Refresh::Turn(turn + 1)
            }
            Some((newest, turned_at)) if turn + 1 == newest && now - turned_at <= REPEAT => {
                Refresh::Turn(newest)
            }
            Some(_) => {
                begun.execute("DELETE FROM sessions WHERE id = ?1", [id])?;
                Refresh::Refused
            }
        };
        begun.commit()?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::NewAccount;

    fn database() -> (Database, UserId) {
        let mut database = Database::in_memory().unwrap();
        let ada = database
            .add_account(&NewAccount {
                id: None,
                name: "Ada".into(),
                phone: None,
                nickname: None,
                password_hash: None,
            })
            .unwrap();
        (database, ada)
    }

    #[test]
    fn each_token_is_good_once_and_a_stolen_one_ends_the_session() {
        let (mut database, ada) = database();
        database.begin_session("s", ada, 1000, 9000).unwrap();
        let mut refresh = |turn, now| database.refresh_session("s", ada, turn, now, 9000).unwrap();
        assert_eq!(refresh(0, 1100), Refresh::Turn(1));
        assert_eq!(refresh(1, 1200), Refresh::Turn(2));
        assert_eq!(refresh(1, 1230), Refresh::Turn(2), "its answer was lost");
        assert_eq!(refresh(2, 1300), Refresh::Turn(3));
        assert_eq!(refresh(1, 1310), Refresh::Refused);
        assert_eq!(
            refresh(3, 1320),
            Refresh::Refused,
            "nobody knows who the thief is"
        );
    }

    #[test]
    fn a_late_repeat_is_a_theft_and_an_old_session_is_over() {
        let (mut database, ada) = database();
        database.begin_session("late", ada, 1000, 9000).unwrap();
        database.refresh_session("late", ada, 0, 1000, 9000).unwrap();
        assert_eq!(
            database.refresh_session("late", ada, 0, 1061, 9000).unwrap(),
            Refresh::Refused
        );
        database.begin_session("old", ada, 1000, 2000).unwrap();
        assert_eq!(
            database.refresh_session("old", ada, 0, 2001, 9000).unwrap(),
            Refresh::Refused
        );
        let other = UserId::new(99).unwrap();
        database.begin_session("own", ada, 1000, 9000).unwrap();
        assert_eq!(
            database.refresh_session("own", other, 0, 1000, 9000).unwrap(),
            Refresh::Refused
        );
    }

    #[test]
    fn sessions_of_one_account_are_bounded_and_end_with_its_password() {
        let (mut database, ada) = database();
        for i in 0..30 {
            database
                .begin_session(&format!("s{i}"), ada, 1000 + i, 9000)
                .unwrap();
        }
        let mut refresh = |id: &str| database.refresh_session(id, ada, 0, 2000, 9000).unwrap();
        assert_eq!(refresh("s9"), Refresh::Refused);
        assert_eq!(refresh("s10"), Refresh::Turn(1));
        assert_eq!(refresh("s29"), Refresh::Turn(1));
        database.set_password(ada, "hash").unwrap();
        assert_eq!(
            database.refresh_session("s20", ada, 0, 2000, 9000).unwrap(),
            Refresh::Refused
        );
    }
}
