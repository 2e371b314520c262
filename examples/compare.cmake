# Runs `program` and compares what it prints with the file `expected`.
execute_process(COMMAND ${program} OUTPUT_VARIABLE printed RESULT_VARIABLE code)
file(READ ${expected} wanted)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "${program} ended with ${code}")
elseif(NOT printed STREQUAL wanted)
  message(FATAL_ERROR "${program} printed\n${printed}\nwhere ${expected} has\n${wanted}")
endif()
