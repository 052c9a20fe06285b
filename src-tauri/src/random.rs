//! Words that nobody can guess.

/// Makes 128 random bits as 32 hexadecimal digits.
pub fn secret_word() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
