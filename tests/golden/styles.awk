# SPDX-License-Identifier: GPL-2.0-or-later
# A styled screen in one form for all that look alike: tmux tells of a style where it changes, and
# whether a cell that nothing was written to has one depends on what was drawn before. Here each line
# begins without a style, and what cannot be seen of a blank or behind the last cell is not there.

function apply(codes,    part, count, i, n) {
    count = split(codes, part, ";")
    if (count == 0)
        part[count = 1] = 0
    for (i = 1; i <= count; i++) {
        n = part[i] + 0
        if (n == 0) {
            split("", on)
            fg = bg = ""
        } else if (n == 38 || n == 48) {
            color = part[i + 1] == 5 ? ";" n ";5;" part[i + 2] \
                                     : ";" n ";2;" part[i + 2] ";" part[i + 3] ";" part[i + 4]
            i += part[i + 1] == 5 ? 2 : 4
            if (n == 38)
                fg = color
            else
                bg = color
        } else if (n == 39)
            fg = ""
        else if (n == 49)
            bg = ""
        else if (n == 22)
            on[1] = on[2] = 0
        else if (n > 20 && n < 30)
            on[n - 20] = 0
        else if (n < 10)
            on[n] = 1
        else if (n < 40 || (n >= 90 && n < 98))
            fg = ";" n
        else
            bg = ";" n
    }
}

function look(blank,    style, i) {
    style = bg
    for (i = 1; i < 10; i++)
        if (on[i] && (!blank || i == 4 || i == 7 || i == 9))
            style = style ";" i
    return blank && !on[7] ? style : style fg
}

{
    line = $0
    out = shown = kept = kept_style = ""
    while (line != "") {
        if (match(line, /^\033\[[0-9;]*m/)) {
            apply(substr(line, 3, RLENGTH - 3))
            line = substr(line, RLENGTH + 1)
            continue
        }
        cell = substr(line, 1, 1)
        line = substr(line, 2)
        style = look(cell == " ")
        if (style != shown)
            out = out "\033[0" style "m"
        shown = style
        out = out cell
        if (cell != " " || style != "") {
            kept = out
            kept_style = style
        }
    }
    print kept (kept_style != "" ? "\033[0m" : "")
}
