//! What stands on a terminal after a program has written there.

/// The lines of a terminal of 160 columns and 30 rows, from what a program wrote to it until it
/// left the alternate screen, without blanks at their ends and without empty lines.
pub(crate) fn screen(written: &str) -> Vec<String> {
    let (written, _) = written.split_once("\u{1b}[?1049l").unwrap_or((written, ""));
    let mut cells = vec![[' '; 160]; 30];
    let (mut row, mut column) = (0_usize, 0_usize);
    let mut rest = written.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => {
                let mut sequence = String::new();
                let end = rest.by_ref().skip(1).find(|c| {
                    let is_end = c.is_ascii_alphabetic();
                    sequence.extend((!is_end).then_some(*c));
                    is_end
                });
                let mut numbers = sequence.split(';').map(|number| number.parse().unwrap_or(1));
                match end {
                    Some('H') => {
                        let mut next = || numbers.next().unwrap_or(1_usize).saturating_sub(1);
                        (row, column) = (next(), next());
                    }
                    Some('J') => cells.fill([' '; 160]),
                    _ => {}
                }
            }
            '\n' => (row, column) = (row + 1, 0),
            '\r' => column = 0,
            c => {
                if let Some(cell) = cells.get_mut(row).and_then(|row| row.get_mut(column)) {
                    *cell = c;
                }
                column += 1;
            }
        }
    }
    let lines = cells.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}
