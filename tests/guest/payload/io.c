/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The serial port, text, and the tally of results. */
#include "payload.h"

#include <stdarg.h>

enum { COM1 = 0x3f8, LINE_CONTROL = 3, MODEM_CONTROL = 4, LINE_STATUS = 5 };
enum { TRANSMITTER_EMPTY = 0x20, DIVISOR_ACCESS = 0x80, EIGHT_BITS = 0x03 };

static char command_line[512];
static unsigned passed, failed;

void serial_init(void)
{
    out8(COM1 + LINE_CONTROL, DIVISOR_ACCESS);
    out8(COM1, 1); /* 115200 baud */
    out8(COM1 + 1, 0);
    out8(COM1 + LINE_CONTROL, EIGHT_BITS);
    out8(COM1 + 1, 0); /* no interrupts */
    out8(COM1 + 2, 0x07);
    out8(COM1 + MODEM_CONTROL, 0x03);
}

static void put_char(char c)
{
    for (unsigned i = 0; i < 100000 && !(in8(COM1 + LINE_STATUS) & TRANSMITTER_EMPTY); i++)
        continue;
    out8(COM1, c);
}

static void put_string(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            put_char('\r');
        put_char(*text);
    }
}

static void put_number(uint32_t value, unsigned base)
{
    char digits[11];
    unsigned i = sizeof(digits) - 1;

    digits[i] = '\0';
    do {
        digits[--i] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    put_string(digits + i);
}

void print(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    for (const char *p = format; *p != '\0'; p++) {
        char text[2] = {*p, '\0'};

        if (*p != '%') {
            put_string(text);
            continue;
        }
        switch (*++p) {
        case 's':
            put_string(va_arg(ap, const char *));
            break;
        case 'u':
            put_number(va_arg(ap, unsigned), 10);
            break;
        case 'x':
            put_number(va_arg(ap, unsigned), 16);
            break;
        case 'c':
            put_char(va_arg(ap, int));
            break;
        default:
            put_char('%');
            break;
        }
    }
    va_end(ap);
}

bool text_equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

void set_command_line(const char *text)
{
    unsigned i = 0;

    for (; text[i] != '\0' && i < sizeof(command_line) - 1; i++)
        command_line[i] = text[i];
    command_line[i] = '\0';
}

const char *option(const char *name)
{
    static char value[64];
    const char *p = command_line;

    while (*p != '\0') {
        unsigned i = 0, n = 0;

        while (name[i] != '\0' && p[i] == name[i])
            i++;
        bool found = name[i] == '\0' && (p[i] == '=' || p[i] == ' ' || p[i] == '\0');
        p += i;
        if (found && *p == '=')
            p++;
        while (*p != '\0' && *p != ' ') {
            if (n < sizeof(value) - 1)
                value[n++] = *p;
            p++;
        }
        value[n] = '\0';
        if (found)
            return value;
        while (*p == ' ')
            p++;
    }
    return NULL;
}

uint32_t parse_number(const char *text)
{
    unsigned base = 10;
    uint32_t value = 0;

    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
    for (; *text != '\0'; text++) {
        unsigned digit = *text <= '9' ? *text - '0' : (*text | 0x20) - 'a' + 10;

        if (digit >= base)
            break;
        value = value * base + digit;
    }
    return value;
}

void report(const char *name, const char *reason)
{
    if (reason == NULL) {
        passed++;
        print("PASS %s\n", name);
    } else {
        failed++;
        print("FAIL %s: %s\n", name, reason);
    }
}

void print_done(void)
{
    print("DONE %u passed, %u failed\n", passed, failed);
}
