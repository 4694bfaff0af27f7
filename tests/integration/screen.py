"""What a terminal shows of the bytes that ncurses sends for TERM=xterm: a grid of characters with their looks, as text or HTML."""

import html
import re

SEQUENCE = re.compile(r"\x1b\[([?>!]?)([0-9;]*)([@A-Za-z])|\x1b([()])(.)|\x1b([=>78MDEc])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
# Modes, character sets, what asks the terminal of itself: nothing of it is to be seen.
UNSEEN = set("hlntcm")
COLOURS = ["#30363d", "#ff7b72", "#7ee787", "#e3b341", "#79c0ff", "#d2a8ff", "#76e3ea", "#e6edf3"]
INK, PAPER = "#e6edf3", "#0d1117"
PAGE = """<!doctype html><meta charset="utf-8"><title>{title}</title>
<style>body {{ margin: 0; background: {paper}; color: {ink} }} pre {{ margin: 0; padding: 14px 16px; font: 13px/1.35 "DejaVu Sans Mono", monospace }}
b {{ font-weight: 700 }} .dim {{ opacity: .65 }}</style><pre>{text}</pre>"""


class Screen:
    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.cells = [self.blank_row() for _ in range(rows)]
        self.row = self.column = 0
        self.top, self.bottom = 0, rows - 1
        self.look, self.last = (), " "

    def blank_row(self):
        return [(" ", ())] * self.columns

    def feed(self, data):
        text = data.decode(errors="replace")
        at = 0
        while at < len(text):
            if match := SEQUENCE.match(text, at):
                if match[3]:
                    self.control(match[1], [int(word or 0) for word in match[2].split(";")], match[3])
                elif match[6] == "M":
                    self.scroll(-1) if self.row == self.top else self.go(self.row - 1, self.column)
                at = match.end()
                continue
            assert text[at] != "\x1b", f"not understood: {text[at : at + 12]!r}"
            self.put(text[at])
            at += 1

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.scroll(1) if self.row == self.bottom else self.go(self.row + 1, self.column)
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character >= " ":
            if self.column == self.columns:
                self.put("\r")
                self.put("\n")
            self.cells[self.row][self.column] = (character, self.look)
            self.column += 1
            self.last = character

    def go(self, row, column):
        self.row, self.column = min(max(row, 0), self.rows - 1), min(max(column, 0), self.columns - 1)

    def scroll(self, lines, top=None):
        top = self.top if top is None else top
        for _ in range(abs(lines)):
            if lines > 0:
                self.cells[top : self.bottom + 1] = [*self.cells[top + 1 : self.bottom + 1], self.blank_row()]
            else:
                self.cells[top : self.bottom + 1] = [self.blank_row(), *self.cells[top : self.bottom]]

    def erase(self, row, begin, end):
        self.cells[row][begin:end] = [(" ", ())] * (end - begin)

    def control(self, private, numbers, letter):
        first = numbers[0]
        count = max(first, 1)
        rest = self.cells[self.row][self.column :]
        if private:
            assert letter in UNSEEN, letter
        elif letter == "m":
            self.dress(numbers)
        elif letter in "Hf":
            self.go(count - 1, max(numbers[1], 1) - 1 if len(numbers) > 1 else 0)
        elif letter == "d":
            self.go(count - 1, self.column)
        elif letter == "G":
            self.go(self.row, count - 1)
        elif letter in "ABCD":
            rows, columns = {"A": (-1, 0), "B": (1, 0), "C": (0, 1), "D": (0, -1)}[letter]
            self.go(self.row + rows * count, self.column + columns * count)
        elif letter == "K":
            self.erase(self.row, self.column if first == 0 else 0, self.column + 1 if first == 1 else self.columns)
        elif letter == "J":
            self.erase(self.row, self.column if first == 0 else 0, self.columns if first != 1 else self.column + 1)
            for row in range(self.row + 1 if first == 0 else 0, self.rows if first != 1 else self.row):
                self.erase(row, 0, self.columns)
        elif letter == "X":
            self.erase(self.row, self.column, min(self.column + count, self.columns))
        elif letter == "P":
            self.cells[self.row][self.column :] = (rest[count:] + self.blank_row())[: len(rest)]
        elif letter == "@":
            self.cells[self.row][self.column :] = ([(" ", ())] * count + rest)[: len(rest)]
        elif letter in "LM":
            self.scroll(count if letter == "M" else -count, self.row)
        elif letter in "ST":
            self.scroll(count if letter == "S" else -count)
        elif letter == "b":
            for _ in range(count):
                self.put(self.last)
        elif letter == "r":
            self.top, self.bottom = count - 1, (numbers[1] if len(numbers) > 1 else self.rows) - 1
            self.go(0, 0)
        else:
            assert letter in UNSEEN, f"not understood: {numbers} {letter}"

    def dress(self, numbers):
        look = set(self.look)
        for number in numbers:
            colour = {word for word in look if word.startswith("colour")}
            if number == 0:
                look = set()
            elif number in (1, 2, 7):
                look.add({1: "bold", 2: "dim", 7: "reverse"}[number])
            elif number == 22:
                look -= {"bold", "dim"}
            elif number == 27:
                look.discard("reverse")
            elif 30 <= number <= 37:
                look = look - colour | {f"colour{number - 30}"}
            elif number == 39:
                look -= colour
            else:
                assert number in (10, 24, 49), f"a look that is not understood: {number}"
        self.look = tuple(sorted(look))

    def lines(self):
        return ["".join(character for character, _ in row).rstrip() for row in self.cells]

    def html(self, title):
        text = []
        for row in self.cells:
            begin = 0
            for end in range(1, self.columns + 1):
                if end == self.columns or row[end][1] != row[begin][1]:
                    text.append(dressed("".join(character for character, _ in row[begin:end]), row[begin][1]))
                    begin = end
            text.append("\n")
        return PAGE.format(title=html.escape(title), paper=PAPER, ink=INK, text="".join(text))


def dressed(text, look):
    text = html.escape(text)
    ink = next((COLOURS[int(word[-1])] for word in look if word.startswith("colour")), INK)
    style = f"background: {ink}; color: {PAPER}" if "reverse" in look else f"color: {ink}"
    weight = "b" if "bold" in look else "span"
    return f'<{weight} class="{"dim" if "dim" in look else ""}" style="{style}">{text}</{weight}>' if look else text
