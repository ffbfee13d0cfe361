/* SPDX-License-Identifier: GPL-2.0-or-later */
/* input-send-event: QMP's InputEvent, checked as a whole before the first one is sent. */

#include "core/error.h"
#include "core/keys.h"
#include "display/display.h"
#include "engine/control/control_internal.h"

#define MAX_MOTION 32767 /* pixels in one event */

struct event {
    enum { EVENT_KEY, EVENT_BUTTON, EVENT_WHEEL, EVENT_RELATIVE, EVENT_ABSOLUTE } type;
    bool down;
    bool vertical; /* the axis */
    int value;     /* qnum, INPUT_BUTTON_*, steps, pixels or position */
};

static bool member_bool(const json_t *data, const char *name, bool *ret, GError **err)
{
    const json_t *value = json_object_get(data, name);

    *ret = json_is_true(value);
    return json_is_boolean(value) ||
           vmdesk_fail(err, VMDESK_ERROR_INVALID, "The event's '%s' must be true or false.", name);
}

static bool parse_key(const json_t *data, struct event *ret, GError **err)
{
    const json_t *key = json_object_get(data, "key"), *value = json_object_get(key, "data");
    const char *type = json_string_value(json_object_get(key, "type"));
    uint8_t qnum = 0;

    ret->type = EVENT_KEY;
    if (!member_bool(data, "down", &ret->down, err))
        return false;
    if (g_strcmp0(type, "qcode") == 0 && json_is_string(value)) {
        if (!key_from_name(json_string_value(value), &qnum))
            return vmdesk_fail(err, VMDESK_ERROR_INVALID, "There is no key named '%s'.",
                               json_string_value(value));
    } else if (g_strcmp0(type, "number") == 0 && json_integer_value(value) > 0 &&
               json_integer_value(value) <= UINT8_MAX) {
        qnum = json_integer_value(value);
    } else {
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The event's 'key' must be of type qcode with a name, or of type number "
                           "with a number from 1 to 255.");
    }
    ret->value = qnum;
    return true;
}

static bool parse_button(const json_t *data, struct event *ret, GError **err)
{
    static const struct {
        const char *name;
        struct event event;
    } buttons[] = {
        {"left", {EVENT_BUTTON, .value = INPUT_BUTTON_LEFT}},
        {"middle", {EVENT_BUTTON, .value = INPUT_BUTTON_MIDDLE}},
        {"right", {EVENT_BUTTON, .value = INPUT_BUTTON_RIGHT}},
        {"wheel-up", {EVENT_WHEEL, .value = 1}},
        {"wheel-down", {EVENT_WHEEL, .value = -1}},
    };
    const char *name = json_string_value(json_object_get(data, "button"));

    for (size_t i = 0; i < G_N_ELEMENTS(buttons); i++) {
        if (g_strcmp0(name, buttons[i].name) == 0) {
            *ret = buttons[i].event;
            return member_bool(data, "down", &ret->down, err);
        }
    }
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "The event's 'button' must be left, middle, right, wheel-up or wheel-down.");
}

static bool parse_axis(const json_t *data, int min, int max, struct event *ret, GError **err)
{
    const char *axis = json_string_value(json_object_get(data, "axis"));
    const json_t *value = json_object_get(data, "value");

    if (g_strcmp0(axis, "x") != 0 && g_strcmp0(axis, "y") != 0)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID, "The event's 'axis' must be x or y.");
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The event's 'value' must be an integer from %d to %d.", min, max);
    ret->vertical = axis[0] == 'y';
    ret->value = json_integer_value(value);
    return true;
}

static bool parse_event(const json_t *json, struct event *ret, GError **err)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    const json_t *data = json_object_get(json, "data");

    *ret = (struct event){0};
    if (g_strcmp0(type, "key") == 0)
        return parse_key(data, ret, err);
    if (g_strcmp0(type, "btn") == 0)
        return parse_button(data, ret, err);
    if (g_strcmp0(type, "rel") == 0) {
        ret->type = EVENT_RELATIVE;
        return parse_axis(data, -MAX_MOTION, MAX_MOTION, ret, err);
    }
    if (g_strcmp0(type, "abs") == 0) {
        ret->type = EVENT_ABSOLUTE;
        return parse_axis(data, 0, INPUT_POSITION_MAX, ret, err);
    }
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "The event's 'type' must be key, btn, rel or abs.");
}

/* Motion that was not reported yet: both axes go in one report. */
struct motion {
    bool moved;
    int dx, dy;
};

static void report(struct control_connection *connection, struct motion *motion)
{
    const struct control_server *server = connection->server;
    const struct input_sink *sink = machine_input(server->machine);
    const struct control_input *input = &connection->input;

    if (!motion->moved)
        return;
    if (input->relative)
        sink->ops->motion(sink->opaque, motion->dx, motion->dy, input->buttons);
    else
        sink->ops->pointer(sink->opaque, input->x, input->y, server->guest_width,
                           server->guest_height, input->buttons);
    *motion = (struct motion){false};
}

static void press_key(struct control_connection *connection, uint8_t qnum, bool down)
{
    const struct input_sink *sink = machine_input(connection->server->machine);
    uint8_t *keys = &connection->input.keys[qnum / 8], bit = 1 << qnum % 8;

    *keys = down ? *keys | bit : *keys & ~bit;
    sink->ops->key(sink->opaque, qnum, down);
}

static void apply(struct control_connection *connection, const struct event *event,
                  struct motion *motion)
{
    const struct input_sink *sink = machine_input(connection->server->machine);
    struct control_input *input = &connection->input;
    bool relative = event->type == EVENT_RELATIVE;

    switch (event->type) {
    case EVENT_KEY:
        press_key(connection, event->value, event->down);
        break;
    case EVENT_WHEEL:
        if (event->down)
            sink->ops->wheel(sink->opaque, event->value);
        break;
    case EVENT_BUTTON:
        report(connection, motion);
        if (event->down)
            input->buttons |= event->value;
        else
            input->buttons &= ~event->value;
        motion->moved = true;
        report(connection, motion);
        break;
    case EVENT_RELATIVE:
    case EVENT_ABSOLUTE:
        if (input->relative != relative)
            report(connection, motion);
        input->relative = relative;
        motion->moved = true;
        if (relative)
            *(event->vertical ? &motion->dy : &motion->dx) += event->value;
        else
            *(event->vertical ? &input->y : &input->x) = event->value;
        break;
    }
}

static void input_send_event(struct control_request *request, const json_t *arguments)
{
    const json_t *list = json_object_get(arguments, "events");
    size_t count = json_array_size(list);
    struct event events[PROTOCOL_MAX_INPUT_EVENTS];
    struct motion motion = {false};
    GError *error = NULL;

    for (size_t i = 0; i < count; i++) {
        if (!parse_event(json_array_get(list, i), &events[i], &error)) {
            control_fail(request, error);
            return;
        }
    }
    for (size_t i = 0; i < count; i++)
        apply(request->connection, &events[i], &motion);
    report(request->connection, &motion);
    display_wake(machine_display(request->connection->server->machine));
    control_return(request, NULL);
}

void control_input_release(struct control_input *input, const struct input_sink *sink)
{
    for (unsigned qnum = 0; qnum < 256; qnum++) {
        if (input->keys[qnum / 8] & 1 << qnum % 8)
            sink->ops->key(sink->opaque, qnum, false);
    }
    if (input->buttons != 0)
        sink->ops->motion(sink->opaque, 0, 0, 0);
    *input = (struct control_input){0};
}

const struct control_handler control_input_handlers[] = {
    {"input-send-event", input_send_event},
    {NULL},
};
