// MPI for Swift: the header, and what differs between the libraries or is a cast, which Swift cannot see.
#ifndef CMPI_SHIM_H
#define CMPI_SHIM_H

#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

// Where MPI writes a handle. In Open MPI a handle is a pointer, which Swift then takes for optional; in
// MPICH and its relatives it is a number. Within a structure Swift treats both alike.
typedef struct {
  MPI_Comm handle;
} cmpi_comm;
typedef struct {
  MPI_Op handle;
} cmpi_op;
typedef struct {
  MPI_Request handle;
} cmpi_request;

// A function, where Swift takes MPI_User_function for a closure.
typedef MPI_User_function *cmpi_operation_body;

static inline MPI_Comm cmpi_comm_world(void) { return MPI_COMM_WORLD; }
static inline MPI_Datatype cmpi_float(void) { return MPI_FLOAT; }
static inline MPI_Datatype cmpi_double(void) { return MPI_DOUBLE; }
static inline MPI_Datatype cmpi_byte(void) { return MPI_BYTE; }
static inline MPI_Op cmpi_sum(void) { return MPI_SUM; }
static inline MPI_Errhandler cmpi_errors_return(void) { return MPI_ERRORS_RETURN; }
static inline MPI_Info cmpi_info_null(void) { return MPI_INFO_NULL; }
static inline void *cmpi_in_place(void) { return MPI_IN_PLACE; }
static inline cmpi_request cmpi_request_null(void) { return (cmpi_request){MPI_REQUEST_NULL}; }
static inline int cmpi_any_source(void) { return MPI_ANY_SOURCE; }
static inline int cmpi_any_tag(void) { return MPI_ANY_TAG; }
static inline MPI_Status *cmpi_status_ignore(void) { return MPI_STATUS_IGNORE; }

// MPI_Testsome of requests whose statuses nobody asks for.
static inline int cmpi_testsome(int count, cmpi_request *requests, int *completed, int *indices) {
  _Static_assert(sizeof *requests == sizeof requests->handle, "an array of one is one of the other");
  return MPI_Testsome(count, &requests->handle, completed, indices, MPI_STATUSES_IGNORE);
}

#endif
