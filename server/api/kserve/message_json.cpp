#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>

#include "server/api/kserve/documents.hpp"

namespace shoal::api::kserve {
namespace {

namespace pb = google::protobuf;
using nlohmann::ordered_json;
using Field = pb::FieldDescriptor;

// One element of the field: the `index`th of a repeated one, the value of a single one where index < 0.
ordered_json value_json(const pb::Message& message, const Field& field, int index) {
  const pb::Reflection& reflection = *message.GetReflection();
  const bool many = index >= 0;
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return many ? reflection.GetRepeatedInt32(message, &field, index) : reflection.GetInt32(message, &field);
    case Field::CPPTYPE_INT64:
      return many ? reflection.GetRepeatedInt64(message, &field, index) : reflection.GetInt64(message, &field);
    case Field::CPPTYPE_UINT32:
      return many ? reflection.GetRepeatedUInt32(message, &field, index) : reflection.GetUInt32(message, &field);
    case Field::CPPTYPE_UINT64:
      return many ? reflection.GetRepeatedUInt64(message, &field, index) : reflection.GetUInt64(message, &field);
    case Field::CPPTYPE_DOUBLE:
      return many ? reflection.GetRepeatedDouble(message, &field, index) : reflection.GetDouble(message, &field);
    case Field::CPPTYPE_FLOAT:
      return many ? reflection.GetRepeatedFloat(message, &field, index) : reflection.GetFloat(message, &field);
    case Field::CPPTYPE_BOOL:
      return many ? reflection.GetRepeatedBool(message, &field, index) : reflection.GetBool(message, &field);
    case Field::CPPTYPE_ENUM:
      return (many ? reflection.GetRepeatedEnum(message, &field, index) : reflection.GetEnum(message, &field))->name();
    case Field::CPPTYPE_STRING:
      return many ? reflection.GetRepeatedString(message, &field, index) : reflection.GetString(message, &field);
    case Field::CPPTYPE_MESSAGE:
      return message_json(many ? reflection.GetRepeatedMessage(message, &field, index)
                               : reflection.GetMessage(message, &field));
  }
  return nullptr;
}

// A map is a repeated message of key and value.
ordered_json map_json(const pb::Message& message, const Field& field) {
  const pb::Reflection& reflection = *message.GetReflection();
  const Field& key = *field.message_type()->map_key();
  const Field& value = *field.message_type()->map_value();
  ordered_json object = ordered_json::object();
  for (int index = 0; index < reflection.FieldSize(message, &field); ++index) {
    const pb::Message& entry = reflection.GetRepeatedMessage(message, &field, index);
    const ordered_json name = value_json(entry, key, -1);
    object[name.is_string() ? name.get<std::string>() : name.dump()] = value_json(entry, value, -1);
  }
  return object;
}

}  // namespace

ordered_json message_json(const pb::Message& message) {
  const pb::Reflection& reflection = *message.GetReflection();
  const pb::Descriptor& descriptor = *message.GetDescriptor();
  ordered_json object = ordered_json::object();
  for (int number = 0; number < descriptor.field_count(); ++number) {
    const Field& field = *descriptor.field(number);
    if (field.is_map()) {
      object[field.name()] = map_json(message, field);
    } else if (field.is_repeated()) {
      ordered_json list = ordered_json::array();
      for (int index = 0; index < reflection.FieldSize(message, &field); ++index) {
        list.push_back(value_json(message, field, index));
      }
      object[field.name()] = std::move(list);
    } else if (!field.has_presence() || reflection.HasField(message, &field)) {
      object[field.name()] = value_json(message, field, -1);
    }
  }
  return object;
}

}  // namespace shoal::api::kserve
