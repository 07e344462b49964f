# Tests of the base room.
leat_test(test_json)
leat_test(test_json_oracle LIBRARIES PkgConfig::JANSSON)
leat_test(test_json_write)
