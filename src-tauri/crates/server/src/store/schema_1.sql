CREATE TABLE accounts (
    id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 9007199254740991),
    name TEXT NOT NULL,
    -- The name in lower case: names that differ in nothing else are one.
    name_key TEXT NOT NULL UNIQUE,
    phone TEXT UNIQUE,
    nickname TEXT,
    -- Argon2id as a PHC string; without one there is no sign-in by password.
    password_hash TEXT,
    banned INTEGER NOT NULL DEFAULT 0 CHECK (banned IN (0, 1)),
    restricted INTEGER NOT NULL DEFAULT 0 CHECK (restricted IN (0, 1)),
    contacts TEXT NOT NULL DEFAULT 'open' CHECK (contacts IN ('open', 'closed')),
    -- Raised to make every token worthless that was issued before.
    token_version INTEGER NOT NULL DEFAULT 0,
    -- Seconds since 1970.
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE contacts (
    owner INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    other INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    PRIMARY KEY (owner, other),
    CHECK (owner <> other)
) STRICT, WITHOUT ROWID;

CREATE TABLE blocks (
    owner INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    other INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    PRIMARY KEY (owner, other),
    CHECK (owner <> other)
) STRICT, WITHOUT ROWID;

-- Calls, in the order they began (IM-Suite §6). A participant may be an account of another node.
CREATE TABLE history (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    call_id TEXT NOT NULL,
    from_user INTEGER NOT NULL,
    to_user INTEGER NOT NULL,
    call_type TEXT NOT NULL CHECK (call_type IN ('audio', 'video')),
    status TEXT NOT NULL CHECK (status IN ('pending', 'answered', 'rejected', 'ended', 'missed')),
    -- Milliseconds since 1970.
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    -- Seconds.
    duration INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    -- A call id is free again some time after its call; the old record stays what it is.
    UNIQUE (call_id, started_at)
) STRICT;

CREATE INDEX history_of_caller ON history (from_user, position);
CREATE INDEX history_of_callee ON history (to_user, position);
CREATE INDEX history_open ON history (status) WHERE status IN ('pending', 'answered');

-- Sign-ins that can be refreshed.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- How often it was refreshed; only the newest refresh token is good.
    turn INTEGER NOT NULL,
    -- Seconds since 1970.
    turned_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_of_account ON sessions (account, turned_at);

-- Secrets that outlive a restart.
CREATE TABLE keys (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
