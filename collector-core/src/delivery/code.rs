//! ClickHouse's exception codes by what they say of a batch, each with its name in `ErrorCodes.cpp` (`SELECT errorCodeToName(60)`).
//!
//! In scope: codes that say it whatever the message. Out of scope: messages that say more than their code (`delivery`).
//!
//! Any other code leaves it open whether the batch is stored: time-outs, lost quorums or Keepers (225, 242), shards out of reach (279), a full
//! memory or disk, a code that nobody knows yet. For a batch with rows of two months is two parts, and the first may be there. A batch that waits
//! is better than a batch that is doubled, and the age of the oldest is an alert.

/// Said before anything is written: the body was cut or damaged on its way (when it left, it was whole), a read-only or overloaded server, a
/// quota, too many parts.
pub(super) const RETRY: &[i32] = &[
    3,   // UNEXPECTED_END_OF_FILE
    33,  // CANNOT_READ_ALL_DATA
    164, // READONLY
    201, // QUOTA_EXCEEDED
    202, // TOO_MANY_SIMULTANEOUS_QUERIES
    203, // NO_FREE_CONNECTION
    252, // TOO_MANY_PARTS
    354, // ZLIB_INFLATE_FAILED
    364, // RECEIVED_ERROR_TOO_MANY_REQUESTS
    439, // CANNOT_SCHEDULE_TASK
    745, // SERVER_OVERLOADED
];

/// Said of a row that no batch can bring in.
pub(super) const POISON: &[i32] = &[
    6,   // CANNOT_PARSE_TEXT
    25,  // CANNOT_PARSE_ESCAPE_SEQUENCE
    26,  // CANNOT_PARSE_QUOTED_STRING
    27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
    38,  // CANNOT_PARSE_DATE
    41,  // CANNOT_PARSE_DATETIME
    53,  // TYPE_MISMATCH
    69,  // ARGUMENT_OUT_OF_BOUND
    70,  // CANNOT_CONVERT_TYPE
    72,  // CANNOT_PARSE_NUMBER
    117, // INCORRECT_DATA
    130, // CANNOT_READ_ARRAY_FROM_TEXT
    349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    376, // CANNOT_PARSE_UUID
    469, // VIOLATED_CONSTRAINT: one that an operator put on the table; the row breaks it in every batch
    561, // ZSTD_DECODER_FAILED
    675, // CANNOT_PARSE_IPV4
];

/// Said of the schema, of rights or of settings, which an operator has to mend.
pub(super) const HOLD: &[i32] = &[
    16,  // NO_SUCH_COLUMN_IN_TABLE
    20,  // NUMBER_OF_COLUMNS_DOESNT_MATCH
    36,  // BAD_ARGUMENTS
    44,  // ILLEGAL_COLUMN
    47,  // UNKNOWN_IDENTIFIER
    48,  // NOT_IMPLEMENTED
    60,  // UNKNOWN_TABLE
    62,  // SYNTAX_ERROR
    73,  // UNKNOWN_FORMAT
    81,  // UNKNOWN_DATABASE
    115, // UNKNOWN_SETTING
    192, // UNKNOWN_USER
    193, // WRONG_PASSWORD
    194, // REQUIRED_PASSWORD
    291, // DATABASE_ACCESS_DENIED
    336, // UNKNOWN_DATABASE_ENGINE
    381, // HTTP_LENGTH_REQUIRED
    452, // SETTING_CONSTRAINT_VIOLATION
    497, // ACCESS_DENIED
    511, // UNKNOWN_ROLE
    512, // SET_NON_GRANTED_ROLE
    516, // AUTHENTICATION_FAILED
];

/// Said of too many parts in the table, which passes, and of too many partitions in one INSERT, which does not.
pub(super) const TOO_MANY_PARTS: i32 = 252;

/// Said of a bad row, and of a field that the table does not have.
pub(super) const INCORRECT_DATA: i32 = 117;
