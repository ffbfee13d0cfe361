/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/emulated/standard.h"

#include <string.h>

#define STATUS_SELF_POWERED 0x01
#define STATUS_REMOTE_WAKEUP 0x02
#define STATUS_U1 0x04
#define STATUS_U2 0x08
#define STATUS_FUNCTION_WAKE_CAPABLE 0x01
#define STATUS_FUNCTION_WAKE 0x02
#define SUSPEND_OPTION_WAKE 0x02 /* of FUNCTION_SUSPEND, in the high byte of wIndex */

#define SEL_SIZE 6

/* In which states, and at which speeds, a request is answered. */
enum { IN_ADDRESSED = 1, IN_CONFIGURED = 2, ALWAYS = 3, ONLY_SUPER = 4 };

struct call {
    struct usb_standard *s;
    const struct usb_device *device;
    struct usb_request *request;
    enum usb_change change;
};

struct row {
    uint8_t type, request;
    unsigned when;
    bool (*run)(struct call *call, const struct usb_setup *setup); /* false: a request error */
};

void usb_standard_init(struct usb_standard *s, const struct usb_description *description,
                       const char *serial)
{
    *s = (struct usb_standard){.description = description, .serial = g_strdup(serial)};
}

void usb_standard_finish(struct usb_standard *s)
{
    g_free(s->serial);
}

void usb_standard_reset(struct usb_standard *s)
{
    *s = (struct usb_standard){.description = s->description, .serial = s->serial};
}

void usb_answer(struct usb_request *request, const void *data, size_t size)
{
    uint32_t wanted = MIN(request->length, request->setup.length);

    request->actual = usb_request_copy_in(request, 0, data, MIN(size, wanted));
    request->status = USB_OK;
}

void usb_stall(struct usb_request *request)
{
    request->status = USB_STALL;
    request->actual = 0;
}

unsigned usb_endpoint_index(uint8_t address)
{
    return (address & 0x0f) | (address & USB_DIR_IN ? 0x10 : 0);
}

const struct usb_endpoint_description *usb_standard_endpoint(const struct usb_standard *s,
                                                             uint8_t address)
{
    const struct usb_description *d = s->description;

    if (s->state != USB_CONFIGURED)
        return NULL;
    for (unsigned i = 0; i < d->interface_count; i++) {
        const struct usb_interface_description *interface = &d->interfaces[i];

        if (interface->alternate != s->alternate[interface->number])
            continue;
        for (unsigned e = 0; e < interface->endpoint_count; e++)
            if (interface->endpoints[e].address == address)
                return &interface->endpoints[e];
    }
    return NULL;
}

bool usb_standard_halted(const struct usb_standard *s, uint8_t address)
{
    return s->halted & 1u << usb_endpoint_index(address);
}

static bool is_super(const struct call *call)
{
    return call->device->speed >= USB_SPEED_SUPER;
}

static bool answer16(struct call *call, uint16_t value)
{
    const uint8_t data[2] = {value & 0xff, value >> 8};

    usb_answer(call->request, data, sizeof(data));
    return true;
}

static bool done(struct call *call)
{
    call->request->status = USB_OK;
    return true;
}

/* The interface that wIndex names, if the configuration has it. */
static bool find_interface(struct call *call, const struct usb_setup *setup, uint8_t *ret_number)
{
    *ret_number = setup->index & 0xff;
    return call->s->state == USB_CONFIGURED &&
           usb_find_interface(call->s->description, *ret_number, 0) != NULL;
}

/* GET_STATUS: USB 3.2, 9.4.5. */

static bool device_status(struct call *call, const struct usb_setup *setup)
{
    const struct usb_standard *s = call->s;
    uint16_t status = s->description->self_powered ? STATUS_SELF_POWERED : 0;

    if (setup->value != 0 || setup->index != 0)
        return false;
    status |= s->remote_wakeup ? STATUS_REMOTE_WAKEUP : 0;
    status |= s->u1 ? STATUS_U1 : 0;
    status |= s->u2 ? STATUS_U2 : 0;
    return answer16(call, status);
}

static bool interface_status(struct call *call, const struct usb_setup *setup)
{
    uint16_t status = 0;
    uint8_t number;

    if (setup->value != 0 || !find_interface(call, setup, &number))
        return false;
    if (is_super(call) && call->s->description->remote_wakeup) {
        status = STATUS_FUNCTION_WAKE_CAPABLE;
        status |= call->s->function_wake[number] ? STATUS_FUNCTION_WAKE : 0;
    }
    return answer16(call, status);
}

/* Endpoint 0 is always there, and never halted for longer than a request. */
static bool endpoint_there(struct call *call, uint16_t address)
{
    return (address & ~USB_DIR_IN) == 0 ||
           (address < 0x100 && usb_standard_endpoint(call->s, address) != NULL);
}

static bool endpoint_status(struct call *call, const struct usb_setup *setup)
{
    if (setup->value != 0 || !endpoint_there(call, setup->index))
        return false;
    return answer16(call, usb_standard_halted(call->s, setup->index));
}

/* SET_FEATURE and CLEAR_FEATURE: USB 3.2, 9.4.1 and 9.4.9. Test modes would end the talk with the
 * host, and latency tolerance messages have nobody to hear them. */

static bool device_feature(struct call *call, const struct usb_setup *setup)
{
    struct usb_standard *s = call->s;
    bool on = setup->request == USB_SET_FEATURE;

    if (setup->index != 0)
        return false;
    switch (setup->value) {
    case USB_FEATURE_REMOTE_WAKEUP:
        if (!s->description->remote_wakeup || is_super(call))
            return false;
        s->remote_wakeup = on;
        return done(call);
    case USB_FEATURE_U1_ENABLE:
    case USB_FEATURE_U2_ENABLE:
        if (!is_super(call) || s->state != USB_CONFIGURED)
            return false;
        *(setup->value == USB_FEATURE_U1_ENABLE ? &s->u1 : &s->u2) = on;
        return done(call);
    default:
        return false;
    }
}

static bool interface_feature(struct call *call, const struct usb_setup *setup)
{
    unsigned options = setup->request == USB_SET_FEATURE ? setup->index >> 8 : 0;
    uint8_t number;

    if (setup->value != USB_FEATURE_FUNCTION_SUSPEND || !find_interface(call, setup, &number))
        return false;
    call->s->function_wake[number] =
        call->s->description->remote_wakeup && (options & SUSPEND_OPTION_WAKE);
    return done(call);
}

static bool endpoint_feature(struct call *call, const struct usb_setup *setup)
{
    struct usb_standard *s = call->s;
    bool set = setup->request == USB_SET_FEATURE;
    uint32_t bit;

    if (setup->value != USB_FEATURE_ENDPOINT_HALT || !endpoint_there(call, setup->index))
        return false;
    if ((setup->index & ~USB_DIR_IN) == 0)
        return done(call);
    bit = 1u << usb_endpoint_index(setup->index);
    s->halted = set ? s->halted | bit : s->halted & ~bit;
    call->change = set ? USB_CHANGE_HALT_SET : USB_CHANGE_HALT_CLEARED;
    return done(call);
}

/* The rest. */

static bool get_descriptor(struct call *call, const struct usb_setup *setup)
{
    uint8_t data[USB_DESCRIPTORS_MAX];
    const struct usb_identity identity = {
        .speed = call->device->speed,
        .speeds = call->device->speeds,
        .serial = call->s->serial,
    };
    size_t size = usb_descriptor(call->s->description, &identity, setup->value >> 8,
                                 setup->value & 0xff, data);

    if (size == 0)
        return false;
    usb_answer(call->request, data, size);
    return true;
}

static bool get_configuration(struct call *call, const struct usb_setup *setup)
{
    const uint8_t value = call->s->state == USB_CONFIGURED ? USB_CONFIGURATION : 0;

    if (setup->value != 0 || setup->index != 0)
        return false;
    usb_answer(call->request, &value, 1);
    return true;
}

static bool set_configuration(struct call *call, const struct usb_setup *setup)
{
    struct usb_standard *s = call->s;

    if (setup->index != 0 || (setup->value != 0 && setup->value != USB_CONFIGURATION))
        return false;
    s->state = setup->value != 0 ? USB_CONFIGURED : USB_ADDRESSED;
    memset(s->alternate, 0, sizeof(s->alternate));
    memset(s->function_wake, 0, sizeof(s->function_wake));
    s->halted = 0;
    s->u1 = s->u2 = false;
    call->change = USB_CHANGE_CONFIGURATION;
    return done(call);
}

static bool get_interface(struct call *call, const struct usb_setup *setup)
{
    uint8_t number;

    if (setup->value != 0 || !find_interface(call, setup, &number))
        return false;
    usb_answer(call->request, &call->s->alternate[number], 1);
    return true;
}

/* The endpoints of the setting begin anew, not halted: USB 2.0, 9.1.1.5. */
static bool set_interface(struct call *call, const struct usb_setup *setup)
{
    struct usb_standard *s = call->s;
    const struct usb_interface_description *interface;
    uint8_t number;

    if (!find_interface(call, setup, &number) || setup->value > 0xff)
        return false;
    interface = usb_find_interface(s->description, number, setup->value);
    if (interface == NULL)
        return false;
    s->alternate[number] = interface->alternate;
    for (unsigned i = 0; i < interface->endpoint_count; i++)
        s->halted &= ~(1u << usb_endpoint_index(interface->endpoints[i].address));
    call->change = USB_CHANGE_INTERFACE;
    return done(call);
}

static bool set_sel(struct call *call, const struct usb_setup *setup)
{
    uint8_t data[SEL_SIZE];

    if (setup->value != 0 || setup->index != 0 || setup->length != SEL_SIZE ||
        usb_request_copy_out(call->request, 0, data, SEL_SIZE) != SEL_SIZE)
        return false;
    call->s->exit_latency[0] = data[0];
    call->s->exit_latency[1] = data[1];
    call->s->exit_latency[2] = data[2] | data[3] << 8;
    call->s->exit_latency[3] = data[4] | data[5] << 8;
    call->request->actual = SEL_SIZE;
    return done(call);
}

static bool set_isochronous_delay(struct call *call, const struct usb_setup *setup)
{
    if (setup->index != 0)
        return false;
    call->s->isochronous_delay = setup->value;
    return done(call);
}

static const struct row rows[] = {
    {USB_DIR_IN | USB_RECIPIENT_DEVICE, USB_GET_STATUS, ALWAYS, device_status},
    {USB_DIR_IN | USB_RECIPIENT_INTERFACE, USB_GET_STATUS, IN_CONFIGURED, interface_status},
    {USB_DIR_IN | USB_RECIPIENT_ENDPOINT, USB_GET_STATUS, ALWAYS, endpoint_status},
    {USB_RECIPIENT_DEVICE, USB_CLEAR_FEATURE, ALWAYS, device_feature},
    {USB_RECIPIENT_DEVICE, USB_SET_FEATURE, ALWAYS, device_feature},
    {USB_RECIPIENT_INTERFACE, USB_CLEAR_FEATURE, IN_CONFIGURED | ONLY_SUPER, interface_feature},
    {USB_RECIPIENT_INTERFACE, USB_SET_FEATURE, IN_CONFIGURED | ONLY_SUPER, interface_feature},
    {USB_RECIPIENT_ENDPOINT, USB_CLEAR_FEATURE, ALWAYS, endpoint_feature},
    {USB_RECIPIENT_ENDPOINT, USB_SET_FEATURE, ALWAYS, endpoint_feature},
    {USB_DIR_IN | USB_RECIPIENT_DEVICE, USB_GET_DESCRIPTOR, ALWAYS, get_descriptor},
    {USB_DIR_IN | USB_RECIPIENT_DEVICE, USB_GET_CONFIGURATION, ALWAYS, get_configuration},
    {USB_RECIPIENT_DEVICE, USB_SET_CONFIGURATION, ALWAYS, set_configuration},
    {USB_DIR_IN | USB_RECIPIENT_INTERFACE, USB_GET_INTERFACE, IN_CONFIGURED, get_interface},
    {USB_RECIPIENT_INTERFACE, USB_SET_INTERFACE, IN_CONFIGURED, set_interface},
    {USB_RECIPIENT_DEVICE, USB_SET_SEL, ALWAYS | ONLY_SUPER, set_sel},
    {USB_RECIPIENT_DEVICE, USB_SET_ISOCH_DELAY, ALWAYS | ONLY_SUPER, set_isochronous_delay},
};

static bool in_state(const struct call *call, unsigned when)
{
    if ((when & ONLY_SUPER) && !is_super(call))
        return false;
    return when & (call->s->state == USB_CONFIGURED ? IN_CONFIGURED : IN_ADDRESSED);
}

void usb_standard_request(struct usb_standard *s, const struct usb_device *device,
                          struct usb_request *request, enum usb_change *ret_change)
{
    const struct usb_setup *setup = &request->setup;
    struct call call = {.s = s, .device = device, .request = request};

    usb_stall(request);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];

        if (row->type != setup->request_type || row->request != setup->request)
            continue;
        if (!in_state(&call, row->when) || !row->run(&call, setup))
            usb_stall(request);
        break;
    }
    *ret_change = call.change;
}
