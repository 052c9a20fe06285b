//! `user`: the accounts of a server's database, while the server runs or not.
//!
//! A running server notices every change within a second.

use crate::exit::Exit;
use crate::output::Output;
use crate::serve::args::user_id;
use crate::serve::with_sources;
use ahoy_call::UserId;
use ahoy_server::store::{AccountRow, Database, List, NewAccount, StoreError};
use ahoy_server::{PasswordError, generate_password, hash_password};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::io::BufRead;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct UserArgs {
    /// The folder that `serve --data` has.
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Adds an account.
    Add {
        name: String,
        /// Its number; the next free one unless said otherwise.
        #[arg(long, value_parser = user_id)]
        id: Option<UserId>,
        /// A phone number to sign in with.
        #[arg(long)]
        phone: Option<String>,
        /// A name for display.
        #[arg(long)]
        nickname: Option<String>,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Sets a password; whoever was signed in has to sign in again.
    Passwd {
        /// A name, or a number.
        who: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Closes the connections of an account and opens no new ones.
    Ban { who: String },
    /// Takes a ban back.
    Unban { who: String },
    /// Takes away the right to place calls.
    Restrict { who: String },
    /// Gives the right to place calls back.
    Unrestrict { who: String },
    /// Lists all accounts, one line each.
    List,
    /// Shows or changes whose calls an account takes under the policy `contacts`, and who sees it online.
    Contacts {
        who: String,
        /// Everybody of the server, as long as these are at most 500.
        #[arg(long, conflicts_with = "closed")]
        open: bool,
        /// Only those on the list.
        #[arg(long)]
        closed: bool,
        /// Puts somebody on the list.
        #[arg(long, value_name = "WHO")]
        add: Vec<String>,
        /// Takes somebody off the list.
        #[arg(long, value_name = "WHO")]
        remove: Vec<String>,
    },
}

/// Without any of these a password is made up and printed once.
#[derive(Debug, Args)]
struct PasswordArgs {
    /// Others on this machine can see it while the program runs.
    #[arg(long)]
    password: Option<String>,
    /// The first line of stdin is the password.
    #[arg(long, conflicts_with = "password")]
    password_stdin: bool,
}

/// Does one command on the database.
pub fn run(args: UserArgs, output: Output) -> Exit {
    let Some(folder) = args.data else {
        return Exit::Usage("--data is missing: the folder that the server has".to_owned());
    };
    let done = Database::open(&folder)
        .map_err(Fault::from)
        .and_then(|mut database| perform(&mut database, args.command, output));
    match done {
        Ok(()) => Exit::Ok,
        Err(Fault::Usage(error)) => Exit::Usage(error),
        Err(Fault::Store(error)) => Exit::Failed(with_sources(&error)),
    }
}

#[derive(Debug)]
enum Fault {
    /// The command cannot be meant.
    Usage(String),
    /// The database does not work.
    Store(StoreError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::IdTaken { .. }
            | StoreError::NoFreeId
            | StoreError::NameTaken { .. }
            | StoreError::PhoneTaken { .. }
            | StoreError::ListFull => Fault::Usage(error.to_string()),
            StoreError::Unusable { .. }
            | StoreError::InUse { .. }
            | StoreError::TooNew { .. }
            | StoreError::Sql(_)
            | StoreError::NoRandomNumbers
            | StoreError::Stopped => Fault::Store(error),
        }
    }
}

impl From<PasswordError> for Fault {
    fn from(error: PasswordError) -> Self {
        Fault::Usage(error.to_string())
    }
}

fn perform(database: &mut Database, command: UserCommand, output: Output) -> Result<(), Fault> {
    match command {
        UserCommand::Add {
            name,
            id,
            phone,
            nickname,
            password,
        } => {
            let password = password.take()?;
            let id = database.add_account(&NewAccount {
                id,
                name: checked_name(name)?,
                phone,
                nickname,
                password_hash: Some(hash_password(&password.text)?),
            })?;
            let account = find(database, &id.to_string())?;
            output.line(&told(&account, password.made_up()));
        }
        UserCommand::Passwd { who, password } => {
            let account = find(database, &who)?;
            let password = password.take()?;
            database.set_password(account.id, &hash_password(&password.text)?)?;
            output.line(&told(&account, password.made_up()));
        }
        UserCommand::Ban { who } => {
            let account = find(database, &who)?;
            database.set_banned(account.id, true)?;
            output.line(&told(&find(database, &account.id.to_string())?, None));
        }
        UserCommand::Unban { who } => {
            let account = find(database, &who)?;
            database.set_banned(account.id, false)?;
            output.line(&told(&find(database, &account.id.to_string())?, None));
        }
        UserCommand::Restrict { who } => {
            let account = find(database, &who)?;
            database.set_restricted(account.id, true)?;
            output.line(&told(&find(database, &account.id.to_string())?, None));
        }
        UserCommand::Unrestrict { who } => {
            let account = find(database, &who)?;
            database.set_restricted(account.id, false)?;
            output.line(&told(&find(database, &account.id.to_string())?, None));
        }
        UserCommand::List => {
            for account in database.accounts()? {
                output.line(&told(&account, None));
            }
        }
        UserCommand::Contacts {
            who,
            open,
            closed,
            add,
            remove,
        } => {
            let id = find(database, &who)?.id;
            if open || closed {
                database.set_open_contacts(id, open)?;
            }
            for other in add {
                let other = find(database, &other)?.id;
                if other == id {
                    return Err(Fault::Usage("nobody is on their own list".to_owned()));
                }
                database.add_to_list(List::Contacts, id, other)?;
            }
            for other in remove {
                let other = find(database, &other)?.id;
                database.remove_from_list(List::Contacts, id, other)?;
            }
            let mut line = told(&find(database, &id.to_string())?, None);
            let listed = database.list(List::Contacts, id)?;
            line["listed"] = listed.iter().map(|id| id.as_u64()).collect();
            output.line(&line);
        }
    }
    Ok(())
}

/// An account by its number, or else by its name.
fn find(database: &Database, who: &str) -> Result<AccountRow, Fault> {
    if let Ok(id) = user_id(who)
        && let Some(account) = database.account(id)?
    {
        return Ok(account);
    }
    database
        .account_named(who)?
        .ok_or_else(|| Fault::Usage(format!("there is no user {who:?}")))
}

/// Names are shown on one line and signed in with.
fn checked_name(name: String) -> Result<String, Fault> {
    /// Characters (chosen: it still fits a line).
    const LONGEST: usize = 64;
    let trimmed = name.trim();
    match trimmed.chars().count() {
        1..=LONGEST if !trimmed.chars().any(char::is_control) => Ok(trimmed.to_owned()),
        _ => Err(Fault::Usage(format!(
            "{name:?} is not a name of 1 to {LONGEST} characters"
        ))),
    }
}

fn told(account: &AccountRow, password: Option<&str>) -> Value {
    let mut line = json!({
        "event": "user",
        "id": account.id.as_u64(),
        "name": account.name,
        "phone": account.phone,
        "nickname": account.nickname,
        "banned": account.banned,
        "restricted": account.restricted,
        "contacts": if account.open_contacts { "open" } else { "closed" },
        "created_at": jiff::Timestamp::from_second(account.created_at).map(|at| at.to_string()).ok(),
    });
    if let Some(password) = password {
        line["password"] = password.into();
    }
    line
}

struct Password {
    text: String,
    is_made_up: bool,
}

impl Password {
    /// What has to be told, because nobody knows it.
    fn made_up(&self) -> Option<&str> {
        self.is_made_up.then_some(&*self.text)
    }
}

impl PasswordArgs {
    fn take(self) -> Result<Password, Fault> {
        let given = |text| Password {
            text,
            is_made_up: false,
        };
        match (self.password, self.password_stdin) {
            (Some(text), _) => Ok(given(text)),
            (None, true) => {
                let mut line = String::new();
                std::io::stdin()
                    .lock()
                    .read_line(&mut line)
                    .map_err(|error| Fault::Usage(format!("stdin: {error}")))?;
                Ok(given(line.trim_end_matches(['\r', '\n']).to_owned()))
            }
            (None, false) => Ok(Password {
                text: generate_password()?,
                is_made_up: true,
            }),
        }
    }
}
