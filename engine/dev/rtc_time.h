/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The time and alarm registers of the MC146818A, in whatever format register B asks for, against
 * seconds since 1970. Works on the CMOS bytes alone.
 */
#ifndef ENGINE_DEV_RTC_TIME_H
#define ENGINE_DEV_RTC_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Indices of CMOS memory: MC146818A, "Address Map"; the century is where PC firmware keeps it. */
enum {
    RTC_SECONDS = 0x00,
    RTC_SECONDS_ALARM = 0x01,
    RTC_MINUTES = 0x02,
    RTC_MINUTES_ALARM = 0x03,
    RTC_HOURS = 0x04,
    RTC_HOURS_ALARM = 0x05,
    RTC_WEEKDAY = 0x06,
    RTC_DAY = 0x07,
    RTC_MONTH = 0x08,
    RTC_YEAR = 0x09,
    RTC_A = 0x0a,
    RTC_B = 0x0b,
    RTC_C = 0x0c,
    RTC_D = 0x0d,
    RTC_CENTURY = 0x32,
};

enum {
    RTC_B_BINARY = 0x04,
    RTC_B_24_HOUR = 0x02,
};

bool rtc_time_is_register(unsigned index); /* of the time of day: alarms do not count */
void rtc_time_encode(uint8_t *cmos, int64_t seconds);
/* Any bytes give some time: what is out of range runs over into the next unit. */
int64_t rtc_time_decode(const uint8_t *cmos);
/* Whether the alarm registers match a second after `after`, up to and with `until`. */
bool rtc_time_alarm_in(const uint8_t *cmos, int64_t after, int64_t until);

#endif
