/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/rtc_time.h"

#include <glib.h>
#include <time.h>

#define HOUR_PM 0x80
#define ALARM_ANY 0xc0 /* both bits set: every value matches */
#define SECONDS_A_DAY (24 * 60 * 60)

static uint8_t to_bcd(unsigned value)
{
    return value / 10 % 10 << 4 | value % 10;
}

static unsigned from_bcd(uint8_t value)
{
    return (value >> 4) * 10 + (value & 0x0f);
}

static uint8_t encode(const uint8_t *cmos, unsigned value)
{
    return cmos[RTC_B] & RTC_B_BINARY ? value : to_bcd(value);
}

static unsigned decode(const uint8_t *cmos, uint8_t value)
{
    return cmos[RTC_B] & RTC_B_BINARY ? value : from_bcd(value);
}

static uint8_t encode_hour(const uint8_t *cmos, unsigned hour)
{
    if (cmos[RTC_B] & RTC_B_24_HOUR)
        return encode(cmos, hour);
    return encode(cmos, hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned decode_hour(const uint8_t *cmos, uint8_t value)
{
    if (cmos[RTC_B] & RTC_B_24_HOUR)
        return decode(cmos, value);
    return decode(cmos, value & ~HOUR_PM) % 12 + (value & HOUR_PM ? 12 : 0);
}

bool rtc_time_is_register(unsigned index)
{
    switch (index) {
    case RTC_SECONDS:
    case RTC_MINUTES:
    case RTC_HOURS:
    case RTC_WEEKDAY:
    case RTC_DAY:
    case RTC_MONTH:
    case RTC_YEAR:
    case RTC_CENTURY:
        return true;
    default:
        return false;
    }
}

void rtc_time_encode(uint8_t *cmos, int64_t seconds)
{
    time_t t = seconds;
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL)
        return;
    cmos[RTC_SECONDS] = encode(cmos, tm.tm_sec);
    cmos[RTC_MINUTES] = encode(cmos, tm.tm_min);
    cmos[RTC_HOURS] = encode_hour(cmos, tm.tm_hour);
    cmos[RTC_WEEKDAY] = encode(cmos, tm.tm_wday + 1);
    cmos[RTC_DAY] = encode(cmos, tm.tm_mday);
    cmos[RTC_MONTH] = encode(cmos, tm.tm_mon + 1);
    cmos[RTC_YEAR] = encode(cmos, (tm.tm_year + 1900) % 100);
    cmos[RTC_CENTURY] = to_bcd((tm.tm_year + 1900) / 100);
}

int64_t rtc_time_decode(const uint8_t *cmos)
{
    struct tm tm = {
        .tm_sec = decode(cmos, cmos[RTC_SECONDS]),
        .tm_min = decode(cmos, cmos[RTC_MINUTES]),
        .tm_hour = decode_hour(cmos, cmos[RTC_HOURS]),
        .tm_mday = decode(cmos, cmos[RTC_DAY]),
        .tm_mon = (int)decode(cmos, cmos[RTC_MONTH]) - 1,
        .tm_year = decode(cmos, cmos[RTC_YEAR]) + from_bcd(cmos[RTC_CENTURY]) * 100 - 1900,
    };

    return timegm(&tm);
}

static bool matches(uint8_t alarm, uint8_t value)
{
    return (alarm & ALARM_ANY) == ALARM_ANY || alarm == value;
}

bool rtc_time_alarm_in(const uint8_t *cmos, int64_t after, int64_t until)
{
    /* The alarm knows no date: after a day every moment has been seen. */
    for (int64_t t = MAX(after, until - SECONDS_A_DAY) + 1; t <= until; t++) {
        unsigned second = (t % SECONDS_A_DAY + SECONDS_A_DAY) % SECONDS_A_DAY;

        if (matches(cmos[RTC_SECONDS_ALARM], encode(cmos, second % 60)) &&
            matches(cmos[RTC_MINUTES_ALARM], encode(cmos, second / 60 % 60)) &&
            matches(cmos[RTC_HOURS_ALARM], encode_hour(cmos, second / 3600)))
            return true;
    }
    return false;
}
