/* respond - responses from objects. Error pages are in respond_error.c. */
#include "proxy/client/respond.h"

#include "base/check.h"
#include "http/date.h"
#include "http/hop.h"
#include "http/put.h"
#include "http/range.h"
#include "http/validator.h"
#include "proxy/mirror/mirror.h"

/* Date, Age, Via, Cache-Status, and Content-Range or Content-Type. */
enum { OWN_FIELDS = 5 };

/* What is sent of the object, and with which status. */
enum shape {
    SHAPE_WHOLE,
    SHAPE_PART,          /* 206 */
    SHAPE_PARTS,         /* 206, multipart/byteranges */
    SHAPE_NOT_MODIFIED,  /* 304 */
    SHAPE_FAILED,        /* 412 */
    SHAPE_UNSATISFIABLE, /* 416 */
};

static bool is_from_cache(enum outcome outcome)
{
    return outcome == OUTCOME_HIT || outcome == OUTCOME_HIT_MEMORY || outcome == OUTCOME_STALE ||
           outcome == OUTCOME_REVALIDATED || outcome == OUTCOME_COLLAPSED ||
           outcome == OUTCOME_PARTIAL;
}

/* ---- which shape ---- */

/* Can its bytes be read only once, in order? The parts of a multipart response may be in any
 * order. A body that is to be kept in memory only may still have to give way until it is there. */
static bool only_passes(const struct object *object)
{
    const struct object *owner = object_owner(object);

    return owner->spool != NULL && !object_in_memory(object) &&
           (owner->stored_reason != REASON_STORED || !spool_is_stored(owner->spool));
}

/* RFC 9110 14.2, 14.3. While the length is unknown, ranges cannot be described. */
static enum shape shape_of_range(const struct respond_input *input, struct byte_ranges *ranges)
{
    const struct http_fields *request = &input->request->fields;
    const struct object *object = input->object;
    int64_t length = object->body_len;

    if (object->status != 200 || length < 0 || fields_count(request, FIELD_RANGE) != 1 ||
        !validator_if_range_holds(request, &object->fields, input->now)) {
        return SHAPE_WHOLE;
    }
    switch (range_parse(fields_get(request, FIELD_RANGE), (uint64_t)length, ranges)) {
    case RANGE_UNSATISFIABLE:
        return SHAPE_UNSATISFIABLE;
    case RANGE_OK:
        if (ranges->count == 1) {
            return SHAPE_PART;
        }
        return multipart_suits(fields_get(&object->fields, FIELD_CONTENT_TYPE), (uint64_t)length) &&
                       !only_passes(object)
                   ? SHAPE_PARTS
                   : SHAPE_WHOLE;
    case RANGE_IGNORE:
        return SHAPE_WHOLE;
    }
    UNREACHABLE();
}

/* Conditions first, then Range (RFC 9110 13.2.2); both apply only to success. */
static enum shape shape_of(const struct respond_input *input, struct byte_ranges *ranges)
{
    if (!input->evaluate || input->object->status / 100 != 2) {
        return SHAPE_WHOLE;
    }
    switch (validator_evaluate(&input->request->fields, &input->object->fields, input->now)) {
    case PRECONDITION_NOT_MODIFIED:
        return SHAPE_NOT_MODIFIED;
    case PRECONDITION_FAILED:
        return SHAPE_FAILED;
    case PRECONDITION_NONE:
    case PRECONDITION_OK:
        return input->policy->has_range ? shape_of_range(input, ranges) : SHAPE_WHOLE;
    }
    UNREACHABLE();
}

/* ---- fields ---- */

/* RFC 9110 15.4.5: a 304 has only those fields that update caches. */
static bool is_left_out_of_304(enum http_field_id id, bool has_etag)
{
    switch (id) {
    case FIELD_CONTENT_ENCODING:
    case FIELD_CONTENT_LANGUAGE:
    case FIELD_CONTENT_RANGE:
    case FIELD_CONTENT_TYPE:
        return true;
    case FIELD_LAST_MODIFIED:
        return has_etag;
    default:
        return false;
    }
}

/* Digests of the content: a 206 has other content than what is stored (RFC 9530 2). */
static bool is_digest(const struct http_field *field)
{
    return field->id == FIELD_OTHER && (span_ieq(field->name, SPAN("Content-Digest")) ||
                                        span_ieq(field->name, SPAN("Content-MD5")));
}

/* A 206 has all fields that the 200 would have. With If-Range they are optional (RFC 9110 15.3.7),
 * but not every client that combines pieces keeps the fields of the first one. */
static bool is_left_out_of_206(const struct http_field *field, enum shape shape)
{
    return field->id == FIELD_CONTENT_RANGE || is_digest(field) ||
           (shape == SHAPE_PARTS && field->id == FIELD_CONTENT_TYPE);
}

static bool is_left_out(const struct http_field *field, enum shape shape, bool from_cache,
                        bool has_etag)
{
    switch (shape) {
    case SHAPE_WHOLE:
        break;
    case SHAPE_PART:
    case SHAPE_PARTS:
        if (is_left_out_of_206(field, shape)) {
            return true;
        }
        break;
    case SHAPE_NOT_MODIFIED:
        if (is_left_out_of_304(field->id, has_etag)) {
            return true;
        }
        break;
    case SHAPE_FAILED:
    case SHAPE_UNSATISFIABLE:
        return true; /* the fields are ours, and not those of the stored response */
    }
    return field->id == FIELD_CONTENT_LENGTH || (field->id == FIELD_AGE && from_cache);
}

/* Copies the object's fields that the client gets. True: Date was among them. */
static bool copy_fields(const struct http_fields *stored, enum shape shape, bool from_cache,
                        struct http_fields *out)
{
    bool has_etag = shape == SHAPE_NOT_MODIFIED && fields_has(stored, FIELD_ETAG);
    bool has_date = false;

    CHECK(out->cap >= stored->count);
    for (size_t i = 0; i < stored->count; i++) {
        if (!is_left_out(&stored->at[i], shape, from_cache, has_etag)) {
            out->at[out->count++] = stored->at[i];
            has_date |= stored->at[i].id == FIELD_DATE;
        }
    }
    return has_date;
}

static void add_date(struct http_fields *fields, int64_t when, struct arena *arena)
{
    char *text = arena_alloc(arena, DATE_LEN);

    date_format(when, text);
    fields_add_id(fields, FIELD_DATE, span_of(text, DATE_LEN));
}

static void add_age(struct http_fields *fields, int64_t age, struct arena *arena)
{
    char *text = arena_alloc(arena, PUT_NUMBER_MAX);

    fields_add_id(fields, FIELD_AGE, span_from_to(text, put_number(text, (uint64_t)age)));
}

/* A response without Date gets the time of its receipt (RFC 9110 6.6.1); one made here, the present
 * time. */
static int64_t date_of(const struct respond_input *input, enum shape shape)
{
    int64_t received = input->object->freshness.response_time;
    bool ours = shape == SHAPE_FAILED || shape == SHAPE_UNSATISFIABLE;

    return ours || received <= 0 ? input->now : received;
}

static void make_fields(const struct respond_input *input, enum shape shape,
                        struct http_fields *out)
{
    const struct object *object = input->object;
    bool ours = shape == SHAPE_FAILED || shape == SHAPE_UNSATISFIABLE;
    bool from_cache = is_from_cache(input->decision->outcome);

    fields_init(out, input->arena, object->fields.count + OWN_FIELDS);
    if (!copy_fields(&object->fields, shape, from_cache, out)) {
        add_date(out, date_of(input, shape), input->arena);
    }
    if (from_cache && !ours) {
        add_age(out, policy_age(&object->freshness, input->now), input->arena);
    }
    if (!ours) {
        hop_add_via(out, input->object->received, input->name, input->arena);
    }
    fields_add_id(
        out, FIELD_CACHE_STATUS,
        mirror_status(decision_cache_status(input->decision, input->name, input->key, input->arena),
                      input->mirror, input->arena));
}

/* ---- framing ---- */

/* The length to announce when no body is sent: that of the response to GET (RFC 9110 8.6). */
static int64_t announced_length(const struct object *object)
{
    uint64_t length;

    if (span_to_u64(fields_get(&object->fields, FIELD_CONTENT_LENGTH), INT64_MAX, &length)) {
        return (int64_t)length; /* also that of a forwarded HEAD response */
    }
    return object->framing == BODY_NONE ? -1 : object->body_len;
}

static bool has_no_body(const struct respond_input *input)
{
    const struct object *object = input->object;

    return input->request->method == METHOD_HEAD || object->framing == BODY_NONE ||
           object->status == 204 || object->status == 304;
}

static void one_part(struct response *out, uint64_t from, uint64_t to)
{
    out->body.count = 1;
    out->body.at[0] = (struct body_part){SPAN_EMPTY, from, to};
}

static void frame_whole(const struct respond_input *input, struct response *out)
{
    const struct object *object = input->object;

    if (has_no_body(input)) {
        out->head.framing = BODY_NONE;
        out->head.content_length = announced_length(object);
        return;
    }
    out->head.framing = object->body_len >= 0 ? BODY_LENGTH : BODY_CHUNKED;
    out->head.content_length = object->body_len;
    if (object->body_len != 0) {
        one_part(out, 0, UINT64_MAX);
    }
}

static void frame_part(const struct respond_input *input, struct byte_range range,
                       struct response *out)
{
    one_part(out, range.first, range.last + 1);
    out->head.framing = BODY_LENGTH;
    out->head.content_length = (int64_t)(range.last + 1 - range.first);
    fields_add_id(&out->head.fields, FIELD_CONTENT_RANGE,
                  content_range_format(range, input->object->body_len, input->arena));
}

static void frame_parts(const struct respond_input *input, const struct byte_ranges *ranges,
                        struct response *out)
{
    struct multipart multipart = {
        .ranges = ranges,
        .length = (uint64_t)input->object->body_len,
        .type = fields_get(&input->object->fields, FIELD_CONTENT_TYPE),
        .boundary = multipart_boundary(&input->secret, input->serial, input->arena),
        .arena = input->arena,
    };

    out->head.framing = BODY_LENGTH;
    out->head.content_length = (int64_t)multipart_lay_out(&multipart, &out->body);
    fields_add_id(&out->head.fields, FIELD_CONTENT_TYPE,
                  multipart_type(multipart.boundary, input->arena));
}

/* Frames a response without a body. A length is announced only where it cannot be taken for that of
 * the stored body. */
static void frame_empty(const struct respond_input *input, enum shape shape, struct response *out)
{
    bool unsatisfiable = shape == SHAPE_UNSATISFIABLE;

    out->head.framing = shape == SHAPE_NOT_MODIFIED ? BODY_NONE : BODY_LENGTH;
    out->head.content_length = shape == SHAPE_NOT_MODIFIED ? -1 : 0;
    if (unsatisfiable) {
        fields_add_id(&out->head.fields, FIELD_CONTENT_RANGE,
                      content_range_unsatisfied((uint64_t)input->object->body_len, input->arena));
    }
}

static int status_of(const struct object *object, enum shape shape)
{
    switch (shape) {
    case SHAPE_WHOLE:
        return object->status;
    case SHAPE_PART:
    case SHAPE_PARTS:
        return 206;
    case SHAPE_NOT_MODIFIED:
        return 304;
    case SHAPE_FAILED:
        return 412;
    case SHAPE_UNSATISFIABLE:
        return 416;
    }
    UNREACHABLE();
}

void respond_object(const struct respond_input *input, struct response *out)
{
    struct byte_ranges ranges; /* only for the two kinds of 206 */
    enum shape shape = shape_of(input, &ranges);

    out->head = (struct http_head){.version = HTTP_1_1, .keep_alive = true};
    out->body.count = 0;
    out->body.after = SPAN_EMPTY;
    out->head.status = status_of(input->object, shape);
    out->head.reason =
        shape == SHAPE_WHOLE ? input->object->reason : http_status_text(out->head.status);
    make_fields(input, shape, &out->head.fields);
    switch (shape) {
    case SHAPE_WHOLE:
        frame_whole(input, out);
        break;
    case SHAPE_PART:
        frame_part(input, ranges.at[0], out);
        break;
    case SHAPE_PARTS:
        frame_parts(input, &ranges, out);
        break;
    case SHAPE_NOT_MODIFIED:
    case SHAPE_FAILED:
    case SHAPE_UNSATISFIABLE:
        frame_empty(input, shape, out);
        break;
    }
}
