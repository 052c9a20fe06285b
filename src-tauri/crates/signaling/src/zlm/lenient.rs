//! JSON with commas that are missing or too many, as the protocol document prints its messages. Read, never sent.

use serde_json::Value;

/// Reads JSON; what is wrong with nothing but its commas is read as if they were right.
///
/// # Errors
/// What the strict reader finds wrong.
pub(super) fn read(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| serde_json::from_str(&with_commas(text)).map_err(|_| error))
}

/// What came last outside of texts, as far as commas depend on it.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    /// The end of a text, object or array.
    Value,
    /// A number, `true`, `false` or `null`, which may go on.
    Word,
    Comma,
    /// The beginning of an object or array, a colon, or nothing.
    Opening,
}

fn with_commas(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut last = Last::Opening;
    // Space between the last of these and here, which is no value.
    let mut apart = false;
    // Where in `out` the last comma is.
    let mut comma = 0;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let begins_value = match char {
            '"' | '{' | '[' => true,
            ':' | ',' | '}' | ']' => false,
            _ if char.is_whitespace() => {
                apart = true;
                out.push(char);
                continue;
            }
            _ => last != Last::Word || apart,
        };
        if begins_value && matches!(last, Last::Value | Last::Word) {
            out.push(',');
        }
        if matches!(char, '}' | ']') && last == Last::Comma {
            out.remove(comma);
        }
        if char == ',' {
            comma = out.len();
        }
        out.push(char);
        apart = false;
        last = match char {
            '"' => {
                push_rest_of_text(&mut out, &mut chars);
                Last::Value
            }
            '}' | ']' => Last::Value,
            '{' | '[' | ':' => Last::Opening,
            ',' => Last::Comma,
            _ => Last::Word,
        };
    }
    out
}

/// Copies up to the quotation mark that ends a text.
fn push_rest_of_text(out: &mut String, chars: &mut std::str::Chars<'_>) {
    let mut escaped = false;
    for char in chars {
        out.push(char);
        match char {
            '"' if !escaped => return,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn commas_that_are_missing_or_too_many_are_put_right() {
        for (wrong, right) in [
            (r#"{"a":1 "b":"x",}"#, json!({"a": 1, "b": "x"})),
            (
                r#"{"a":[{"b":null} true 2,] "c":{}}"#,
                json!({"a": [{"b": null}, true, 2], "c": {}}),
            ),
            (r#"{"a" : "\"}," "b":"\\" ,}"#, json!({"a": "\"},", "b": "\\"})),
            (r#"{"a":"x""b":1}"#, json!({"a": "x", "b": 1})),
        ] {
            assert_eq!(read(wrong).expect(wrong), right, "{wrong}");
        }
    }

    #[test]
    fn anything_else_that_is_wrong_stays_wrong() {
        for wrong in ["", "{", r#"{"a"}"#, "{a:1}", r#"{"a":1},,"#, r#"{"a":"x}"#, ",]"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in r#"[\[\]{}",:a1\\ é]{0,40}"#) {
            // Errors are fine; what is tested is that nothing panics and that right JSON is left alone.
            if let Ok(strict) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(read(&text).expect("it is right"), strict);
            } else {
                read(&text).ok();
            }
        }
    }
}
