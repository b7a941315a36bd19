/// What openapi.yaml promises, and whether an answer keeps it.
#pragma once
#include "test/support/http_client.hpp"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::test {

class openapi_contract {
public:
  struct operation {
    std::string method;      ///< upper case
    std::string path;        ///< "/v1/ids/{type}"
    std::string scope;       ///< "none": open to everyone
    bool has_rest = false;   ///< its `{path}` takes several segments
    nlohmann::json document; ///< with every reference outside of schemas resolved
  };

  /// Throws std::runtime_error when the text is not a description that can be checked against.
  explicit openapi_contract(std::string_view yaml);
  ~openapi_contract();
  openapi_contract(const openapi_contract&) = delete;
  openapi_contract& operator=(const openapi_contract&) = delete;

  [[nodiscard]] const std::vector<operation>& operations() const noexcept { return operations_; }
  /// The operation that serves this request, or null.
  [[nodiscard]] const operation* find(std::string_view method, std::string_view target) const;

  /// What is wrong with an answer to a well-formed request: an undocumented status, media type or header, a body that
  /// breaks its schema. Empty when nothing is.
  [[nodiscard]] std::string breach(std::string_view method, std::string_view target, const http_answer& answer) const;
  /// The same for an answer to bytes that were no proper request: any 4xx or 5xx but 500, as a problem.
  [[nodiscard]] std::string breach_of_problem(const http_answer& answer) const;
  /// What is wrong with the body of a request, by its schema.
  [[nodiscard]] std::string breach_of_schema(const nlohmann::json& schema, const nlohmann::json& value) const;

private:
  struct schemas;
  nlohmann::json document_;
  std::vector<operation> operations_;
  std::unique_ptr<schemas> schemas_;
};

} // namespace matricula::test
