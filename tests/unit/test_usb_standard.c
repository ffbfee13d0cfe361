/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors and standard requests, at every speed. */
#include <check.h>
#include <string.h>

#include "tests/fakes/usb_harness.h"
#include "tests/suite.h"
#include "usb/emulated/emulated.h"

/* A device with an interface that has two settings, of all speeds. */

static const uint8_t details[] = {4, 0x24, 1, 2};

static const struct usb_endpoint_description plain[] = {
    {.address = 0x81, .transfer = USB_BULK, .burst = 3, .streams = 4},
    {.address = 0x02, .transfer = USB_BULK, .details = details, .details_size = sizeof(details)},
};

static const struct usb_endpoint_description other[] = {
    {.address = 0x83, .transfer = USB_INTERRUPT, .packet = 8, .interval = 8},
};

static const struct usb_interface_description interfaces[] = {
    {.number = 0, .class = 0xff, .endpoints = plain, .endpoint_count = 2},
    {.number = 0, .alternate = 1, .class = 0xff, .endpoints = other, .endpoint_count = 1},
    {.number = 1, .class = 3, .details = details, .details_size = sizeof(details)},
};

static const struct usb_description description = {
    .vendor = 0x1234,
    .product = 0x5678,
    .release = 0x0100,
    .name = "Test",
    .protocol = 1,
    .high_protocol = 2,
    .self_powered = true,
    .remote_wakeup = true,
    .milliamperes = 100,
    .interfaces = interfaces,
    .interface_count = G_N_ELEMENTS(interfaces),
};

static const struct usb_identity full = {.speed = USB_SPEED_FULL,
                                         .speeds = USB_SPEED_BIT(USB_SPEED_FULL)};
static const struct usb_identity high = {.speed = USB_SPEED_HIGH,
                                         .speeds = USB_SPEED_BIT(USB_SPEED_FULL) |
                                                   USB_SPEED_BIT(USB_SPEED_HIGH),
                                         .serial = "77"};
static const struct usb_identity super = {.speed = USB_SPEED_SUPER,
                                          .speeds = USB_SPEED_BIT(USB_SPEED_HIGH) |
                                                    USB_SPEED_BIT(USB_SPEED_SUPER)};

static uint8_t data[USB_DESCRIPTORS_MAX];

static size_t descriptor(const struct usb_identity *identity, uint8_t type, uint8_t index)
{
    memset(data, 0xee, sizeof(data));
    return usb_descriptor(&description, identity, type, index, data);
}

START_TEST(device_descriptors)
{
    ck_assert_uint_eq(descriptor(&full, USB_DT_DEVICE, 0), 18);
    ck_assert_mem_eq(data, "\x12\1\0\2\0\0\1\x40\x34\x12\x78\x56\0\1\1\2\0\1", 18);
    ck_assert_uint_eq(descriptor(&high, USB_DT_DEVICE, 0), 18);
    ck_assert_mem_eq(data, "\x12\1\0\2\0\0\2\x40\x34\x12\x78\x56\0\1\1\2\3\1", 18);
    ck_assert_uint_eq(descriptor(&super, USB_DT_DEVICE, 0), 18);
    ck_assert_mem_eq(data, "\x12\1\x20\3\0\0\1\x09", 8);
    ck_assert_uint_eq(descriptor(&high, USB_DT_QUALIFIER, 0), 10);
    ck_assert_mem_eq(data, "\x0a\6\0\2\0\0\1\x40\1\0", 10);
    ck_assert_uint_eq(descriptor(&full, USB_DT_QUALIFIER, 0), 0);
    ck_assert_uint_eq(descriptor(&super, USB_DT_QUALIFIER, 0), 0);
}
END_TEST

START_TEST(configuration_descriptors)
{
    static const uint8_t at_high[] = {
        9, 2,    65,   0, 2, 1,    0, 0xe0, 50,         /* configuration */
        9, 4,    0,    0, 2, 0xff, 0, 0,    0,          /* interface 0 */
        7, 5,    0x81, 2, 0, 2,    0,                   /* 512 bytes */
        7, 5,    0x02, 2, 0, 2,    0, 4,    0x24, 1, 2, /* and details */
        9, 4,    0,    1, 1, 0xff, 0, 0,    0,          /* its setting 1 */
        7, 5,    0x83, 3, 8, 0,    7,                   /* 8 ms */
        9, 4,    1,    0, 0, 3,    0, 0,    0,          /* interface 1 */
        4, 0x24, 1,    2,
    };
    static const uint8_t endpoints_at_super[] = {
        7, 5,  0x81, 2, 0, 4, 0, /* 1024 bytes */
        6, 48, 3,    4, 0, 0,    /* bursts and streams */
        7, 5,  0x02, 2, 0, 4, 0, 6, 48, 0, 0, 0, 0, 4, 0x24, 1, 2,
    };

    ck_assert_uint_eq(descriptor(&high, USB_DT_CONFIGURATION, 0), sizeof(at_high));
    ck_assert_mem_eq(data, at_high, sizeof(at_high));
    ck_assert_uint_eq(descriptor(&high, USB_DT_OTHER_SPEED, 0), sizeof(at_high));
    ck_assert_uint_eq(data[1], 7);
    ck_assert_uint_eq(data[18 + 4], 64); /* full speed's packets */
    ck_assert_uint_eq(data[18 + 18 + 9 + 6], 8);
    ck_assert_uint_eq(descriptor(&full, USB_DT_OTHER_SPEED, 0), 0);
    descriptor(&super, USB_DT_CONFIGURATION, 0);
    ck_assert_uint_eq(data[8], 12); /* units of 8 mA */
    ck_assert_mem_eq(data + 18, endpoints_at_super, sizeof(endpoints_at_super));
    ck_assert_uint_eq(descriptor(&high, USB_DT_CONFIGURATION, 1), 0);
}
END_TEST

START_TEST(bos_and_strings)
{
    g_autofree char *long_serial = g_strnfill(300, 'x');
    const struct usb_identity with_long_serial = {.serial = long_serial};
    const struct usb_identity with_bad_serial = {.serial = "\xff\xfe"};

    ck_assert_uint_eq(descriptor(&high, USB_DT_BOS, 0), 0);
    ck_assert_uint_eq(descriptor(&super, USB_DT_BOS, 0), 22);
    ck_assert_mem_eq(data, "\5\x0f\x16\0\2", 5);
    ck_assert_mem_eq(data + 5, "\7\x10\2\2\0\0\0", 7);
    ck_assert_mem_eq(data + 12, "\x0a\x10\3\0\x0c\0\2\1\1\0", 10);

    ck_assert_uint_eq(descriptor(&high, USB_DT_STRING, 0), 4);
    ck_assert_mem_eq(data, "\4\3\x09\4", 4);
    ck_assert_uint_eq(descriptor(&high, USB_DT_STRING, 2), 10);
    ck_assert_mem_eq(data, "\x0a\3T\0e\0s\0t\0", 10);
    ck_assert_uint_eq(descriptor(&high, USB_DT_STRING, 3), 6);
    ck_assert_mem_eq(data, "\6\0037\0007\0", 6);
    ck_assert_uint_eq(descriptor(&super, USB_DT_STRING, 3), 0);
    ck_assert_uint_eq(descriptor(&high, USB_DT_STRING, 4), 0);
    ck_assert_uint_eq(descriptor(&with_long_serial, USB_DT_STRING, 3), 254);
    ck_assert_uint_eq(data[0], 254);
    ck_assert_uint_eq(descriptor(&with_bad_serial, USB_DT_STRING, 3), 0);
}
END_TEST

/* A device of these tables. */

struct test_device {
    struct usb_emulated usb;
    enum usb_change change; /* the last */
    unsigned changes;
};

static void on_change(struct usb_emulated *usb, enum usb_change change, uint8_t index)
{
    struct test_device *device = (struct test_device *)usb;

    device->change = change;
    device->changes++;
}

/* Bulk in answers with its number of bytes at once; out waits until a request comes in. */
static void on_work(struct usb_emulated *usb, uint8_t endpoint)
{
    struct usb_request *out, *in;

    while ((in = usb_emulated_first(usb, 0x81)) != NULL) {
        out = usb_emulated_first(usb, 0x02);
        if (out != NULL)
            usb_emulated_end(usb, out, USB_OK, out->length);
        usb_emulated_end(usb, in, USB_OK, in->length);
    }
}

static void device_free(struct usb_device *device)
{
    usb_emulated_finish((struct usb_emulated *)device);
    g_free(device);
}

static struct usb_harness h;
static struct test_device *device;

static void set_up(unsigned speeds)
{
    static const struct usb_device_ops device_ops = {.name = "test",
                                                     USB_EMULATED_OPS,
                                                     .free = device_free};
    static const struct usb_emulated_ops ops = {.work = on_work, .changed = on_change};

    device = g_new0(struct test_device, 1);
    harness_init(&h, speeds);
    usb_emulated_init(&device->usb, &device_ops, &ops, &description, h.context, "test", "1",
                      USB_SPEED_BIT(USB_SPEED_HIGH) | USB_SPEED_BIT(USB_SPEED_SUPER));
    harness_attach(&h, &device->usb.device);
}

static void set_up_high(void)
{
    set_up(USB_SPEED_BIT(USB_SPEED_HIGH));
}

static void set_up_super(void)
{
    set_up(USB_SPEED_BIT(USB_SPEED_SUPER));
}

static void finish(void)
{
    harness_finish(&h);
}

/* One request, and what comes of it in each state: its answer's length, or -1 for a stall. */
struct step {
    uint8_t type, request;
    uint16_t value, index, length;
    int addressed, configured;
    enum usb_change change; /* in the configured state */
    const char *answer;     /* in the configured state; NULL: do not care */
};

static void run_step(const struct step *step, int expected, const char *answer)
{
    uint8_t buffer[256] = {2, 3, 4, 0, 5, 0};
    uint32_t actual;
    enum usb_status status = harness_control(&h, step->type, step->request, step->value,
                                             step->index, buffer, step->length, &actual);

    ck_assert_msg((int)status == (expected < 0 ? USB_STALL : USB_OK) &&
                      (int)actual == MAX(expected, 0),
                  "request %02x %u value %x index %x: status %d, %u bytes", step->type,
                  step->request, step->value, step->index, status, actual);
    if (answer != NULL && expected > 0)
        ck_assert_mem_eq(buffer, answer, expected);
}

static void run_steps(const struct step *steps, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        usb_device_reset(h.device);
        run_step(&steps[i], steps[i].addressed, NULL);
        usb_device_reset(h.device);
        harness_configure(&h);
        device->change = USB_CHANGE_NONE;
        run_step(&steps[i], steps[i].configured, steps[i].answer);
        ck_assert_int_eq(device->change, steps[i].change);
    }
}

START_TEST(requests_at_high_speed)
{
    static const struct step steps[] = {
        {0x80, 0, 0, 0, 2, 2, 2, 0, "\1\0"}, /* GET_STATUS: self-powered */
        {0x80, 0, 0, 0, 1, 1, 1, 0, "\1"},   /* less than there is */
        {0x80, 0, 1, 0, 2, -1, -1, 0, NULL},
        {0x81, 0, 0, 0, 2, -1, 2, 0, "\0\0"},
        {0x81, 0, 0, 2, 2, -1, -1, 0, NULL}, /* no such interface */
        {0x82, 0, 0, 0, 2, 2, 2, 0, "\0\0"}, /* endpoint 0 */
        {0x82, 0, 0, 0x81, 2, -1, 2, 0, "\0\0"},
        {0x82, 0, 0, 0x01, 2, -1, -1, 0, NULL}, /* no such endpoint */
        {0x82, 0, 0, 0x83, 2, -1, -1, 0, NULL}, /* of the other setting */
        {0x82, 0, 0, 0x181, 2, -1, -1, 0, NULL},
        {0x00, 3, 1, 0, 0, 0, 0, 0, NULL}, /* remote wakeup */
        {0x00, 1, 1, 0, 0, 0, 0, 0, NULL},
        {0x00, 3, 2, 0x100, 0, -1, -1, 0, NULL}, /* test mode */
        {0x00, 3, 48, 0, 0, -1, -1, 0, NULL},    /* U1: SuperSpeed's */
        {0x01, 3, 0, 0, 0, -1, -1, 0, NULL},     /* function suspend too */
        {0x02, 3, 0, 0x81, 0, -1, 0, USB_CHANGE_HALT_SET, NULL},
        {0x02, 1, 0, 0x81, 0, -1, 0, USB_CHANGE_HALT_CLEARED, NULL},
        {0x02, 1, 0, 0, 0, 0, 0, 0, NULL}, /* endpoint 0 */
        {0x02, 3, 1, 0x81, 0, -1, -1, 0, NULL},
        {0x00, 5, 7, 0, 0, -1, -1, 0, NULL}, /* SET_ADDRESS is the controller's */
        {0x80, 6, 0x100, 0, 18, 18, 18, 0, NULL},
        {0x80, 6, 0x100, 0, 8, 8, 8, 0, NULL},
        {0x80, 6, 0x700, 0, 18, -1, -1, 0, NULL},
        {0x81, 6, 0x2200, 0, 18, -1, -1, 0, NULL},
        {0x00, 7, 0x100, 0, 18, -1, -1, 0, NULL}, /* SET_DESCRIPTOR */
        {0x80, 8, 0, 0, 1, 1, 1, 0, "\1"},
        {0x00, 9, 0, 0, 0, 0, 0, USB_CHANGE_CONFIGURATION, NULL},
        {0x00, 9, 1, 0, 0, 0, 0, USB_CHANGE_CONFIGURATION, NULL},
        {0x00, 9, 2, 0, 0, -1, -1, 0, NULL},
        {0x81, 10, 0, 1, 1, -1, 1, 0, "\0"},
        {0x01, 11, 1, 0, 0, -1, 0, USB_CHANGE_INTERFACE, NULL},
        {0x01, 11, 2, 0, 0, -1, -1, 0, NULL},
        {0x01, 11, 1, 1, 0, -1, -1, 0, NULL},
        {0x01, 11, 0x100, 0, 0, -1, -1, 0, NULL},
        {0x82, 12, 0, 0x81, 2, -1, -1, 0, NULL}, /* SYNCH_FRAME: not isochronous */
        {0x00, 48, 0, 0, 6, -1, -1, 0, NULL},
        {0x00, 49, 40, 0, 0, -1, -1, 0, NULL},
        {0x00, 0, 0, 0, 2, -1, -1, 0, NULL}, /* the wrong way */
        {0x20, 0, 0, 0, 2, -1, -1, 0, NULL}, /* a class's */
        {0x40, 0, 0, 0, 2, -1, -1, 0, NULL}, /* a vendor's */
        {0x83, 0, 0, 0, 2, -1, -1, 0, NULL},
    };

    run_steps(steps, G_N_ELEMENTS(steps));
}
END_TEST

START_TEST(requests_at_superspeed)
{
    static const struct step steps[] = {
        {0x00, 3, 48, 0, 0, -1, 0, 0, NULL},
        {0x00, 3, 49, 0, 0, -1, 0, 0, NULL},
        {0x00, 3, 50, 0, 0, -1, -1, 0, NULL}, /* no latency tolerance messages */
        {0x00, 3, 1, 0, 0, -1, -1, 0, NULL},
        {0x81, 0, 0, 0, 2, -1, 2, 0, "\1\0"}, /* may wake */
        {0x01, 3, 0, 0x0200, 0, -1, 0, 0, NULL},
        {0x01, 3, 0, 0x0202, 0, -1, -1, 0, NULL}, /* no such interface */
        {0x00, 48, 0, 0, 6, 6, 6, 0, NULL},
        {0x00, 48, 0, 0, 5, -1, -1, 0, NULL},
        {0x00, 49, 40, 0, 0, 0, 0, 0, NULL},
        {0x80, 6, 0xf00, 0, 64, 22, 22, 0, NULL},
    };

    run_steps(steps, G_N_ELEMENTS(steps));
}
END_TEST

static unsigned status_of(uint8_t type, uint16_t index)
{
    uint8_t status[2];

    ck_assert_int_eq(harness_control(&h, type, 0, 0, index, status, 2, NULL), USB_OK);
    return status[0] | status[1] << 8;
}

static void set_feature(uint8_t type, uint16_t feature, uint16_t index)
{
    ck_assert_int_eq(harness_control(&h, type, 3, feature, index, NULL, 0, NULL), USB_OK);
}

START_TEST(features_stay_until_reset)
{
    uint8_t sel[6] = {1, 2, 3, 4, 5, 6};

    harness_configure(&h);
    set_feature(0x00, 48, 0);
    set_feature(0x00, 49, 0);
    set_feature(0x01, 0, 0x0201);
    ck_assert_uint_eq(status_of(0x80, 0), 0x0d);
    ck_assert_uint_eq(status_of(0x81, 1), 3);
    ck_assert_uint_eq(status_of(0x81, 0), 1);
    ck_assert_int_eq(harness_control(&h, 0x00, 1, 48, 0, NULL, 0, NULL), USB_OK);
    ck_assert_uint_eq(status_of(0x80, 0), 0x09);
    ck_assert_int_eq(harness_control(&h, 0x00, 48, 0, 0, sel, 6, NULL), USB_OK);
    ck_assert_uint_eq(device->usb.standard.exit_latency[1], 2);
    ck_assert_uint_eq(device->usb.standard.exit_latency[3], 0x0605);
    usb_device_reset(h.device);
    ck_assert_uint_eq(status_of(0x80, 0), 1);
    ck_assert_uint_eq(device->usb.standard.exit_latency[3], 0);
}
END_TEST

START_TEST(halts)
{
    uint8_t byte = 0;

    ck_assert_int_eq(harness_transfer(&h, 0x81, &byte, 1, NULL), USB_ERROR); /* not configured */
    harness_configure(&h);
    ck_assert_int_eq(harness_transfer(&h, 0x81, &byte, 1, NULL), USB_OK);
    ck_assert_int_eq(harness_transfer(&h, 0x83, &byte, 1, NULL), USB_ERROR); /* other setting */
    set_feature(0x02, 0, 0x81);
    ck_assert_uint_eq(status_of(0x82, 0x81), 1);
    ck_assert_uint_eq(status_of(0x82, 0x02), 0);
    ck_assert_int_eq(harness_transfer(&h, 0x81, &byte, 1, NULL), USB_STALL);
    ck_assert_int_eq(harness_control(&h, 0x02, 1, 0, 0x81, NULL, 0, NULL), USB_OK);
    ck_assert_int_eq(harness_transfer(&h, 0x81, &byte, 1, NULL), USB_OK);
    /* Any configuration or setting begins without halts. */
    set_feature(0x02, 0, 0x81);
    ck_assert_int_eq(harness_control(&h, 0x01, 11, 0, 0, NULL, 0, NULL), USB_OK);
    ck_assert_uint_eq(status_of(0x82, 0x81), 0);
    set_feature(0x02, 0, 0x81);
    harness_configure(&h);
    ck_assert_uint_eq(status_of(0x82, 0x81), 0);
}
END_TEST

/* What an op has ended of other requests comes back later, from the main loop, and in order. */
START_TEST(nothing_is_called_from_inside_an_op)
{
    struct harness_request out[3], in;
    uint8_t bytes[4];

    harness_configure(&h);
    for (unsigned i = 0; i < 3; i++) {
        harness_prepare(&h, &out[i], 0x02, bytes, 4, 1);
        ck_assert(!harness_submit(&out[i]));
    }
    harness_prepare(&h, &in, 0x81, bytes, 4, 1);
    ck_assert(harness_submit(&in));
    ck_assert_int_eq(in.done, 0); /* it ended by the result */
    ck_assert_int_eq(out[0].done, 0);
    ck_assert(harness_settled(&out[0]));
    ck_assert_int_eq(out[0].done, 1);
    ck_assert_uint_eq(out[0].request.actual, 4);
    ck_assert(!harness_settled(&out[1]));
    ck_assert(usb_device_cancel(h.device, &out[2].request));
    ck_assert_int_eq(out[2].request.status, USB_CANCELLED);
    /* What has ended, and was not handed back yet, can be taken with its result. */
    harness_submit(&in);
    ck_assert(usb_device_cancel(h.device, &out[1].request));
    ck_assert_int_eq(out[1].request.status, USB_OK);
    ck_assert_uint_eq(out[1].request.actual, 4);
    harness_settled(&out[1]);
    ck_assert_int_eq(out[1].done, 0);
    ck_assert_int_eq(out[2].done, 0);
}
END_TEST

START_TEST(a_request_that_is_too_long)
{
    uint8_t byte = 0;
    struct harness_request r;

    harness_configure(&h);
    harness_prepare(&h, &r, 0x81, &byte, 1, 1);
    r.request.length = USB_REQUEST_MAX + 1;
    ck_assert(harness_submit(&r));
    ck_assert_int_eq(r.request.status, USB_ERROR);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("usb_standard");
    TCase *tables = tcase_create("descriptors"), *at_high = tcase_create("high speed"),
          *at_super = tcase_create("SuperSpeed");

    tcase_add_test(tables, device_descriptors);
    tcase_add_test(tables, configuration_descriptors);
    tcase_add_test(tables, bos_and_strings);
    suite_add_tcase(s, tables);
    tcase_add_checked_fixture(at_high, set_up_high, finish);
    tcase_add_test(at_high, requests_at_high_speed);
    tcase_add_test(at_high, halts);
    tcase_add_test(at_high, nothing_is_called_from_inside_an_op);
    tcase_add_test(at_high, a_request_that_is_too_long);
    suite_add_tcase(s, at_high);
    tcase_add_checked_fixture(at_super, set_up_super, finish);
    tcase_add_test(at_super, requests_at_superspeed);
    tcase_add_test(at_super, features_stay_until_reset);
    suite_add_tcase(s, at_super);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
